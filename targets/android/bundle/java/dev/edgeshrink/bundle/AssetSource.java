package dev.edgeshrink.bundle;

import android.content.Context;
import android.content.res.AssetFileDescriptor;
import android.content.res.AssetManager;
import java.io.File;
import java.io.FileInputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;

/** A bundle among the app's assets: from the AAR, the Gradle module, or an install-time AI pack. */
public final class AssetSource implements Source {
    private final AssetManager assets;
    private final String folder;
    private final File installed;

    /**
     * @param context any context of the app
     * @param name the bundle's name: its files are the assets below edgeshrink/NAME
     */
    public AssetSource(Context context, String name) {
        this(context.getAssets(), "edgeshrink/" + name, new File(context.getApplicationInfo().sourceDir));
    }

    private AssetSource(AssetManager assets, String folder, File installed) {
        this.assets = assets;
        this.folder = folder;
        this.installed = installed;
    }

    /** An install-time AI pack: its files are the assets below the folder that is named after the pack. */
    public static AssetSource ofPack(Context context, String pack) {
        return new AssetSource(context.getAssets(), pack, new File(context.getApplicationInfo().sourceDir));
    }

    @Override
    public InputStream open(String name) throws IOException {
        return assets.open(folder + "/" + name);
    }

    /** An installed app's files do not change: an update brings a new place or time. */
    @Override
    public String stamp(String name) throws IOException {
        return installed + "|" + installed.lastModified() + "|" + folder + "/" + name;
    }

    @Override
    public File path(String name) {
        return null;
    }

    @Override
    public MappedByteBuffer map(String name) throws IOException, BundleException {
        try (AssetFileDescriptor asset = assets.openFd(folder + "/" + name)) {
            if (asset.getLength() > Integer.MAX_VALUE) {
                throw new ModelUnopenable(name + " is larger than the 2 GiB that Java maps: use path()");
            }
            try (FileInputStream stream = new FileInputStream(asset.getFileDescriptor())) {
                FileChannel channel = stream.getChannel();
                return channel.map(FileChannel.MapMode.READ_ONLY, asset.getStartOffset(), asset.getLength());
            }
        } catch (FileNotFoundException error) {
            throw new ModelUnopenable(name + " cannot be mapped: it is compressed in the app"
                + " (androidResources { noCompress }), or not there", error);
        }
    }

    @Override
    public String toString() {
        return "asset " + folder;
    }
}
