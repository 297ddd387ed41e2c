package dev.edgeshrink.bundle;

/** bundle.json is no JSON, not of the schema that this loader reads, or names a file outside the bundle. */
public final class BundleInvalid extends BundleException {
    private static final long serialVersionUID = 1L;

    public BundleInvalid(String message) {
        super(message);
    }

    public BundleInvalid(String message, Throwable cause) {
        super(message, cause);
    }
}
