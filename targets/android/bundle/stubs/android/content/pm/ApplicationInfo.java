package android.content.pm;

/** Compile-only: what of Android's class the bundle's API reads. Never part of an archive. */
public class ApplicationInfo {
    public String nativeLibraryDir;
    public String sourceDir;
}
