package dev.edgeshrink.bundle;

/** An adapter belongs to another base model than the one that is there. */
public final class WrongBase extends BundleException {
    private static final long serialVersionUID = 1L;

    public WrongBase(String message) {
        super(message);
    }

    public WrongBase(String message, Throwable cause) {
        super(message, cause);
    }
}
