package dev.edgeshrink.bundle;

import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.FileNotFoundException;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.MappedByteBuffer;
import java.util.List;

/**
 * A checked bundle: every file is what bundle.json says, and the model can be opened.
 *
 * <pre>{@code
 * ModelBundle bundle = ModelBundle.open(new AssetSource(context, "tiny"), context.getNoBackupFilesDir());
 * bundle.requireEngine("llama.cpp", versionOfTheEngineInThisApp);
 * File model = bundle.path();
 * }</pre>
 *
 * <p>Reading gigabytes takes seconds: call it away from the main thread. An instance is not for two threads at once.
 */
public final class ModelBundle {
    private static final String MANIFEST = "bundle.json";
    private static final int MANIFEST_BYTES_MAX = 16 << 20;

    private final Source source;
    private final Manifest manifest;
    private final String digest;
    private final File folder;
    private final Checked checked;
    private boolean engineFits;
    private boolean baseFits;

    private ModelBundle(Source source, byte[] json, File cacheDir) throws IOException, BundleException {
        this.source = source;
        this.manifest = Manifest.parse(json);
        this.digest = Digests.of(json);
        this.folder = new File(cacheDir, "edgeshrink");
        if (!folder.isDirectory() && !folder.mkdirs() && !folder.isDirectory()) {
            throw new IOException("cannot make " + folder);
        }
        this.checked = new Checked(new File(folder, home() + ".checked"));
        this.baseFits = manifest.baseSha256 == null;
    }

    /**
     * Reads bundle.json and checks every file that it lists, once: what was found right is remembered in `cacheDir`.
     *
     * @param cacheDir a folder of the app's own; the model is copied there when a path is asked of an asset
     * @throws BundleMissing if there is no bundle.json
     * @throws BundleInvalid if bundle.json is not what it should be
     * @throws FileMissing if a listed file is not there
     * @throws DigestMismatch if a file's bytes are not those that were bundled
     */
    public static ModelBundle open(Source source, File cacheDir) throws IOException, BundleException {
        ModelBundle bundle = new ModelBundle(source, manifestOf(source), cacheDir);
        bundle.check();
        return bundle;
    }

    public String name() {
        return manifest.name;
    }

    public String version() {
        return manifest.version;
    }

    /** "gguf", "onnx" or "executorch". */
    public String format() {
        return manifest.format;
    }

    public Engine engine() {
        return manifest.engine;
    }

    /** Tokens of context that the model was measured with; 0 for a network that generates no text. */
    public int context() {
        return manifest.context;
    }

    /** Threads that it was measured with; null where nothing was measured. */
    public Integer threads() {
        return manifest.threads;
    }

    /** What must fit in memory, in bytes: the measured or predicted peak; null where neither is known. */
    public Long memoryBytes() {
        return manifest.memoryBytes;
    }

    /** What the device profile's budget allows, in bytes; null where it has no limit. */
    public Long memoryLimitBytes() {
        return manifest.memoryLimitBytes;
    }

    /** How a question is put to the model; null: the question alone, with the tokenizer's own defaults. */
    public Chat chat() {
        return manifest.chat;
    }

    /** When to hand over to something else; null where no threshold was fitted. */
    public Fallback fallback() {
        return manifest.fallback;
    }

    /** Every file but bundle.json. */
    public List<BundledFile> files() {
        return manifest.files;
    }

    /** SHA-256 of bundle.json: names the whole bundle, since that names every file by its own. */
    public String digest() {
        return digest;
    }

    /**
     * Refuses every other engine than the one that the artifact was made and measured with. The model is given out
     * only after this.
     *
     * @param project the project's name, "llama.cpp"
     * @param version in the numbering of {@link Engine#packageName}
     */
    public void requireEngine(String project, String version) throws EngineMismatch {
        engineFits = manifest.engine.project.equals(project) && manifest.engine.version.equals(version);
        if (!engineFits) {
            throw new EngineMismatch(
                manifest.name + " wants " + manifest.engine + ", and here is " + project + " " + version);
        }
    }

    /**
     * For an adapter: refuses every other base than its own, and is asked before the adapter is given out. A whole
     * model has no base: any is refused.
     *
     * @param baseSha256 digest of the base artifact that is there
     */
    public void requireBase(String baseSha256) throws WrongBase {
        baseFits = manifest.baseSha256 != null && manifest.baseSha256.equals(baseSha256);
        if (!baseFits) {
            throw new WrongBase(manifest.name + " does not belong to the base " + baseSha256);
        }
    }

    /** Reads a small file of the bundle whole: the chat template, a licence, the report. */
    public byte[] read(String name) throws IOException, BundleException {
        BundledFile file = listed(name);
        if (file.bytes > MANIFEST_BYTES_MAX) {
            throw new ModelUnopenable(name + " is too large to be read whole");
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream((int) file.bytes);
        Digests.check(source, file, out);
        return out.toByteArray();
    }

    /**
     * The model's bytes without a copy, where it is one file.
     *
     * @throws ModelUnopenable if it is a folder, larger than 2 GiB, or compressed in the app
     * @throws EngineMismatch if {@link #requireEngine} was not asked, or refused
     */
    public MappedByteBuffer map() throws IOException, BundleException {
        requirePair();
        if (manifest.filesOf(manifest.main).get(0).name.equals(manifest.main)) {
            return source.map(manifest.main);
        }
        throw new ModelUnopenable(manifest.main + " is a folder: map its files, or use path()");
    }

    /** A listed file's bytes without a copy. */
    public MappedByteBuffer map(String name) throws IOException, BundleException {
        requirePair();
        return source.map(listed(name).name);
    }

    /**
     * The model as a file or folder, for an engine that opens a path.
     *
     * <p>Assets have none: they are copied to `cacheDir` once, checked as they are, and what older versions of this
     * bundle left there is deleted.
     *
     * @throws EngineMismatch if {@link #requireEngine} was not asked, or refused
     */
    public File path() throws IOException, BundleException {
        requirePair();
        File direct = source.path(manifest.main);
        if (direct != null) {
            return direct;
        }
        deleteOlder();
        File home = new File(folder, home());
        FolderSource copies = new FolderSource(home);
        for (BundledFile file : manifest.filesOf(manifest.main)) {
            File place = copies.path(file.name);
            if (!place.isFile() || !checked.has("copy " + file.name, copies.stamp(file.name))) {
                copy(file, place);
                checked.add("copy " + file.name, copies.stamp(file.name));
                checked.save();
            }
        }
        return copies.path(manifest.main);
    }

    private void requirePair() throws EngineMismatch, WrongBase {
        if (!engineFits) {
            throw new EngineMismatch(manifest.name + " is for " + manifest.engine + ": ask requireEngine() first");
        }
        if (!baseFits) {
            throw new WrongBase(manifest.name + " is an adapter: ask requireBase() first");
        }
    }

    private void copy(BundledFile file, File place) throws IOException, BundleException {
        File parent = place.getParentFile();
        if (!parent.isDirectory() && !parent.mkdirs() && !parent.isDirectory()) {
            throw new IOException("cannot make " + parent);
        }
        File part = File.createTempFile("copy", ".part", parent);
        try {
            try (FileOutputStream out = new FileOutputStream(part)) {
                Digests.check(source, file, out);
                out.getFD().sync();
            }
            if (!part.renameTo(place)) {
                throw new IOException("cannot write " + place);
            }
        } finally {
            part.delete();
        }
    }

    private void check() throws IOException, BundleException {
        boolean fresh = false;
        for (BundledFile file : manifest.files) {
            String stamp;
            try {
                stamp = source.stamp(file.name);
            } catch (FileNotFoundException error) {
                throw new FileMissing(file.name + " is missing from " + source, error);
            }
            if (!checked.has(file.name, stamp)) {
                Digests.check(source, file, null);
                checked.add(file.name, stamp);
                fresh = true;
            }
        }
        if (fresh) {
            checked.save();
        }
    }

    private BundledFile listed(String name) throws FileMissing {
        for (BundledFile file : manifest.files) {
            if (file.name.equals(name)) {
                return file;
            }
        }
        throw new FileMissing("bundle.json lists no " + name);
    }

    /** No other bundle's name can begin with it: names have no @. */
    private String home() {
        return manifest.name + "@" + digest;
    }

    private void deleteOlder() {
        File[] all = folder.listFiles();
        for (File one : all == null ? new File[0] : all) {
            if (one.getName().startsWith(manifest.name + "@") && !one.getName().startsWith(home())) {
                delete(one);
            }
        }
    }

    private static void delete(File file) {
        File[] inside = file.listFiles();
        for (File one : inside == null ? new File[0] : inside) {
            delete(one);
        }
        file.delete();
    }

    private static byte[] manifestOf(Source source) throws IOException, BundleException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        byte[] piece = new byte[1 << 16];
        try (InputStream stream = source.open(MANIFEST)) {
            for (int count = stream.read(piece); count >= 0; count = stream.read(piece)) {
                out.write(piece, 0, count);
                if (out.size() > MANIFEST_BYTES_MAX) {
                    throw new BundleInvalid("bundle.json is larger than " + MANIFEST_BYTES_MAX + " bytes");
                }
            }
        } catch (FileNotFoundException error) {
            throw new BundleMissing("there is no bundle.json in " + source, error);
        }
        return out.toByteArray();
    }
}
