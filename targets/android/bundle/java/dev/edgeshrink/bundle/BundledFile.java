package dev.edgeshrink.bundle;

/** A file that bundle.json lists. */
public final class BundledFile {
    /** Relative to the bundle, with forward slashes. */
    public final String name;
    /** Digest of its bytes, 64 lower-case hexadecimal digits. */
    public final String sha256;
    /** Its length in bytes. */
    public final long bytes;

    BundledFile(String name, String sha256, long bytes) {
        this.name = name;
        this.sha256 = sha256;
        this.bytes = bytes;
    }
}
