package dev.edgeshrink.bundle;

/** There is no bundle.json where the bundle should be: a wrong name, or a pack that is not delivered yet. */
public final class BundleMissing extends BundleException {
    private static final long serialVersionUID = 1L;

    public BundleMissing(String message) {
        super(message);
    }

    public BundleMissing(String message, Throwable cause) {
        super(message, cause);
    }
}
