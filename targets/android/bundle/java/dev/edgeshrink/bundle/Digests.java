package dev.edgeshrink.bundle;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/** SHA-256 of what is read, a piece at a time. */
final class Digests {
    private static final int PIECE_BYTES = 1 << 20;

    private Digests() {
    }

    static String of(byte[] bytes) {
        return hex(sha256().digest(bytes));
    }

    /** Reads the whole file, to `copy` too where there is one. Refuses another length or digest than the listed one. */
    static void check(Source source, BundledFile file, OutputStream copy) throws IOException, BundleException {
        MessageDigest digest = sha256();
        byte[] piece = new byte[PIECE_BYTES];
        long length = 0;
        try (InputStream stream = open(source, file)) {
            for (int count = stream.read(piece); count >= 0; count = stream.read(piece)) {
                length += count;
                if (length > file.bytes) {
                    break;
                }
                digest.update(piece, 0, count);
                if (copy != null) {
                    copy.write(piece, 0, count);
                }
            }
        }
        if (length != file.bytes) {
            throw new DigestMismatch(file.name + " is not " + file.bytes + " bytes long");
        }
        if (!hex(digest.digest()).equals(file.sha256)) {
            throw new DigestMismatch(file.name + " is not what bundle.json says: its SHA-256 differs");
        }
    }

    private static InputStream open(Source source, BundledFile file) throws IOException, FileMissing {
        try {
            return source.open(file.name);
        } catch (FileNotFoundException error) {
            throw new FileMissing(file.name + " is missing from " + source, error);
        }
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException error) {
            throw new IllegalStateException(error);  // every Java and every Android has it
        }
    }

    private static String hex(byte[] bytes) {
        StringBuilder out = new StringBuilder();
        for (byte one : bytes) {
            out.append(Character.forDigit(one >> 4 & 15, 16)).append(Character.forDigit(one & 15, 16));
        }
        return out.toString();
    }
}
