package android.content.res;

import java.io.Closeable;
import java.io.FileDescriptor;
import java.io.IOException;

/** Compile-only: what of Android's class the bundle's API calls. Never part of an archive. */
public class AssetFileDescriptor implements Closeable {
    public native FileDescriptor getFileDescriptor();

    public native long getStartOffset();

    public native long getLength();

    @Override
    public native void close() throws IOException;
}
