package dev.edgeshrink.bundle;

/** Why a bundle was not opened. Its subclasses say which of the reasons it was; the message names the file. */
public abstract class BundleException extends Exception {
    private static final long serialVersionUID = 1L;

    BundleException(String message) {
        super(message);
    }

    BundleException(String message, Throwable cause) {
        super(message, cause);
    }
}
