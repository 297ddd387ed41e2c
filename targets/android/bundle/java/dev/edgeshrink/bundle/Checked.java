package dev.edgeshrink.bundle;

import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Which files were read and found right, kept in the app's own folder, so that a model of gigabytes is read once.
 *
 * <p>A file counts as checked while its stamp (place, length, time of change) and bundle.json are what they were then.
 */
final class Checked {
    private final File file;
    private final Map<String, String> stamps = new LinkedHashMap<>();

    Checked(File file) {
        this.file = file;
        try {
            for (String line : Files.readAllLines(file.toPath(), StandardCharsets.UTF_8)) {
                int tab = line.indexOf('\t');
                if (tab > 0) {
                    stamps.put(line.substring(0, tab), line.substring(tab + 1));
                }
            }
        } catch (IOException | RuntimeException error) {
            stamps.clear();  // none, or unreadable: everything is checked again
        }
    }

    boolean has(String name, String stamp) {
        return stamp.equals(stamps.get(name));
    }

    void add(String name, String stamp) {
        stamps.put(name, stamp);
    }

    void save() throws IOException {
        StringBuilder text = new StringBuilder();
        for (Map.Entry<String, String> one : stamps.entrySet()) {
            if (one.getValue().indexOf('\n') < 0) {
                text.append(one.getKey()).append('\t').append(one.getValue()).append('\n');
            }
        }
        File fresh = File.createTempFile("checked", ".part", file.getParentFile());
        try {
            try (FileOutputStream out = new FileOutputStream(fresh)) {
                out.write(text.toString().getBytes(StandardCharsets.UTF_8));
                out.getFD().sync();
            }
            if (!fresh.renameTo(file)) {
                throw new IOException("cannot write " + file);
            }
        } finally {
            fresh.delete();
        }
    }
}
