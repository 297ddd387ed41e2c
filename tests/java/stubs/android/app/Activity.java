package android.app;

import android.content.Context;
import android.os.Bundle;
import android.view.View;
import java.io.File;

public class Activity extends Context {
    protected native void onCreate(Bundle state);

    public native void setContentView(View view);

    public native void runOnUiThread(Runnable action);

    public native File getNoBackupFilesDir();

    @Override
    public native android.content.res.AssetManager getAssets();

    @Override
    public native android.content.pm.ApplicationInfo getApplicationInfo();
}
