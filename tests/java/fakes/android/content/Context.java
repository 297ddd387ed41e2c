package android.content;

import android.content.pm.ApplicationInfo;
import android.content.res.AssetManager;
import java.io.File;

/** A context whose app is one archive. */
public class Context {
    private final File archive;
    private final File libraries;

    public Context(File archive, File libraries) {
        this.archive = archive;
        this.libraries = libraries;
    }

    public AssetManager getAssets() {
        return new AssetManager(archive);
    }

    public ApplicationInfo getApplicationInfo() {
        ApplicationInfo info = new ApplicationInfo();
        info.sourceDir = archive.toString();
        info.nativeLibraryDir = libraries.toString();
        return info;
    }
}
