package dev.edgeshrink.bundle;

/** A file that bundle.json lists is not there. */
public final class FileMissing extends BundleException {
    private static final long serialVersionUID = 1L;

    public FileMissing(String message) {
        super(message);
    }

    public FileMissing(String message, Throwable cause) {
        super(message, cause);
    }
}
