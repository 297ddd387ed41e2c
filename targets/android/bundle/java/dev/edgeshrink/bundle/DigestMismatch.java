package dev.edgeshrink.bundle;

/** A file's bytes are not those that bundle.json names: changed, cut short, or of another build. */
public final class DigestMismatch extends BundleException {
    private static final long serialVersionUID = 1L;

    public DigestMismatch(String message) {
        super(message);
    }

    public DigestMismatch(String message, Throwable cause) {
        super(message, cause);
    }
}
