package dev.edgeshrink.bundle;

/** The model's bytes are as they should be, and it cannot be opened here: compressed, too large, or refused. */
public final class ModelUnopenable extends BundleException {
    private static final long serialVersionUID = 1L;

    public ModelUnopenable(String message) {
        super(message);
    }

    public ModelUnopenable(String message, Throwable cause) {
        super(message, cause);
    }
}
