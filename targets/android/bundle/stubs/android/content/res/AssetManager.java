package android.content.res;

import java.io.IOException;
import java.io.InputStream;

/** Compile-only: what of Android's class the bundle's API calls. Never part of an archive. */
public final class AssetManager {
    public native AssetFileDescriptor openFd(String fileName) throws IOException;

    public native InputStream open(String fileName) throws IOException;
}
