package android.content;

import android.content.pm.ApplicationInfo;
import android.content.res.AssetManager;

/** Compile-only: what of Android's class the bundle's API calls. Never part of an archive. */
public abstract class Context {
    public abstract AssetManager getAssets();

    public abstract ApplicationInfo getApplicationInfo();
}
