package dev.edgeshrink.bundle;

/** The engine that is present is not the one that the artifact was made and measured with. */
public final class EngineMismatch extends BundleException {
    private static final long serialVersionUID = 1L;

    public EngineMismatch(String message) {
        super(message);
    }

    public EngineMismatch(String message, Throwable cause) {
        super(message, cause);
    }
}
