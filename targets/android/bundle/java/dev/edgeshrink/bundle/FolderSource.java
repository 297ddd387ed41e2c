package dev.edgeshrink.bundle;

import java.io.File;
import java.io.FileInputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;

/** A bundle in a folder: one that was downloaded, or the path of a Play AI pack. */
public final class FolderSource implements Source {
    private final File folder;

    /** @param folder the folder that holds bundle.json; for an AI pack: assetsPath() + "/" + the pack's name */
    public FolderSource(File folder) {
        this.folder = folder.getAbsoluteFile();
    }

    @Override
    public InputStream open(String name) throws IOException {
        return new FileInputStream(existing(name));
    }

    @Override
    public String stamp(String name) throws IOException {
        File file = existing(name);
        return file + "|" + file.length() + "|" + Files.getLastModifiedTime(file.toPath());
    }

    @Override
    public File path(String name) {
        return new File(folder, name);
    }

    @Override
    public MappedByteBuffer map(String name) throws IOException, BundleException {
        File file = existing(name);
        if (file.length() > Integer.MAX_VALUE) {
            throw new ModelUnopenable(name + " is larger than the 2 GiB that Java maps: use path()");
        }
        try (FileInputStream stream = new FileInputStream(file)) {
            return stream.getChannel().map(FileChannel.MapMode.READ_ONLY, 0, file.length());
        }
    }

    private File existing(String name) throws FileNotFoundException {
        File file = path(name);
        if (!file.isFile()) {
            throw new FileNotFoundException(file.toString());
        }
        return file;
    }

    @Override
    public String toString() {
        return folder.toString();
    }
}
