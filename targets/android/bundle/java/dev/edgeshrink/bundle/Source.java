package dev.edgeshrink.bundle;

import java.io.File;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.MappedByteBuffer;

/** Where the files of a bundle lie. Names are relative to the bundle, with forward slashes. */
public interface Source {
    /**
     * Opens a file for reading from its start; the caller closes it.
     *
     * @throws FileNotFoundException if there is no such file
     */
    InputStream open(String name) throws IOException;

    /**
     * Text that changes whenever the file's bytes could have: its place, length and time of change.
     *
     * @throws FileNotFoundException if there is no such file
     */
    String stamp(String name) throws IOException;

    /** The file on the disk, or the folder of that name; null where the files have no path of their own. */
    File path(String name);

    /**
     * Maps the whole file, at most 2 GiB.
     *
     * @throws ModelUnopenable if it is compressed, or larger
     */
    MappedByteBuffer map(String name) throws IOException, BundleException;
}
