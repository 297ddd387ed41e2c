package android.content.res;

import java.io.File;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/** The assets of one archive, as Android gives them: stored ones by file descriptor and place, any as a stream. */
public class AssetManager {
    private final File archive;

    AssetManager(File archive, boolean unused) {
        this.archive = archive;
    }

    public AssetManager(File archive) {
        this(archive, true);
    }

    public InputStream open(String name) throws IOException {
        ZipFile zip = new ZipFile(archive);
        ZipEntry entry = zip.getEntry("assets/" + name);
        if (entry == null) {
            zip.close();
            throw new FileNotFoundException(name);
        }
        return zip.getInputStream(entry);
    }

    public AssetFileDescriptor openFd(String name) throws IOException {
        byte[] wanted = ("assets/" + name).getBytes(StandardCharsets.UTF_8);
        RandomAccessFile file = new RandomAccessFile(archive, "r");
        // Our archives have no data descriptors: each local header says where the next one is.
        for (long at = 0; u32(file, at) == 0x04034b50L; ) {
            long size = u32(file, at + 18);
            int nameBytes = u16(file, at + 26);
            long data = at + 30 + nameBytes + u16(file, at + 28);
            byte[] found = new byte[nameBytes];
            file.seek(at + 30);
            file.readFully(found);
            if (java.util.Arrays.equals(found, wanted)) {
                if (u16(file, at + 8) != 0) {
                    throw new FileNotFoundException(name + ": probably compressed");
                }
                return new AssetFileDescriptor(file, data, size);
            }
            at = data + size;
        }
        throw new FileNotFoundException(name);
    }

    private static int u16(RandomAccessFile file, long at) throws IOException {
        file.seek(at);
        return file.read() | file.read() << 8;
    }

    private static long u32(RandomAccessFile file, long at) throws IOException {
        return u16(file, at) | (long) u16(file, at + 2) << 16;
    }
}
