package dev.edgeshrink.bundle;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/** bundle.json as values. Whatever is in it was written by somebody: names stay in the bundle, or it is refused. */
final class Manifest {
    private static final String SCHEMA = "edgeshrink-bundle-1";
    private static final int FILES_MAX = 20_000;

    final String name;
    final String version;
    final String format;
    final String main;
    final Engine engine;
    final int context;
    final Integer threads;
    final Long memoryBytes;
    final Long memoryLimitBytes;
    final String baseSha256;
    final Chat chat;
    final Fallback fallback;
    final List<BundledFile> files;

    private Manifest(Fields fields) throws BundleInvalid {
        name = fields.text("name");
        if (!name.matches("[a-z][a-z0-9]*(-[a-z0-9]+)*") || name.length() > 60) {
            throw new BundleInvalid("bundle.json has a name that is none");
        }
        version = fields.text("version");
        format = fields.text("format");
        Fields pair = fields.object("engine");
        engine = new Engine(pair.text("runtime"), pair.text("project"), pair.text("package"), pair.text("version"));
        context = small(fields.whole("context"), 0, "context");
        Long count = fields.optionalWhole("threads");
        threads = count == null ? null : Integer.valueOf(small(count, 1, "threads"));
        memoryBytes = fields.optionalWhole("memory_bytes");
        memoryLimitBytes = fields.optionalWhole("memory_limit_bytes");
        baseSha256 = fields.optionalText("base_sha256");
        chat = chat(fields.optionalObject("chat"));
        fallback = fallback(fields.optionalObject("fallback"));
        files = files(fields.objects("files"));
        main = fields.text("main");
        if (!main.startsWith("model/") || filesOf(main).isEmpty()) {
            throw new BundleInvalid("bundle.json lists no file of its model");
        }
    }

    static Manifest parse(byte[] json) throws BundleInvalid {
        Fields fields = Fields.of(Json.parse(json), "bundle.json");
        if (!SCHEMA.equals(fields.text("schema"))) {
            throw new BundleInvalid("bundle.json is not of the schema " + SCHEMA);
        }
        return new Manifest(fields);
    }

    /** The file of that name, or all files below the folder of that name. */
    List<BundledFile> filesOf(String place) {
        List<BundledFile> found = new ArrayList<>();
        for (BundledFile file : files) {
            if (file.name.equals(place) || file.name.startsWith(place + "/")) {
                found.add(file);
            }
        }
        return found;
    }

    private static List<BundledFile> files(List<Fields> listed) throws BundleInvalid {
        if (listed.size() > FILES_MAX) {
            throw new BundleInvalid("bundle.json lists more than " + FILES_MAX + " files");
        }
        List<BundledFile> files = new ArrayList<>();
        Set<String> known = new HashSet<>();
        for (Fields one : listed) {
            BundledFile file = new BundledFile(one.text("name"), one.text("sha256"), one.whole("bytes"));
            if (!safe(file.name)) {
                throw new BundleInvalid("bundle.json names a file outside the bundle");
            }
            if (!file.sha256.matches("[0-9a-f]{64}") || file.bytes < 0) {
                throw new BundleInvalid("bundle.json has no digest or length for " + file.name);
            }
            if (!known.add(file.name.toLowerCase(Locale.ROOT))) {
                throw new BundleInvalid("bundle.json lists " + file.name + " twice");
            }
            files.add(file);
        }
        return Collections.unmodifiableList(files);
    }

    /** Whether a file of that name stays below its folder, on any system. */
    static boolean safe(String name) {
        for (int at = 0; at < name.length(); at++) {
            char c = name.charAt(at);
            if (c == '\\' || c == ':' || Character.isISOControl(c)) {
                return false;
            }
        }
        for (String part : name.split("/", -1)) {
            if (part.isEmpty() || part.equals(".") || part.equals("..")) {
                return false;
            }
        }
        return true;
    }

    private static Chat chat(Fields fields) throws BundleInvalid {
        if (fields == null) {
            return null;
        }
        return new Chat(
            fields.text("before"),
            fields.text("after"),
            fields.list("stop", String.class),
            fields.list("stop_ids", Long.class),
            fields.optionalText("template"));
    }

    private static Fallback fallback(Fields fields) throws BundleInvalid {
        if (fields == null) {
            return null;
        }
        double temperature = fields.real("temperature");
        if (!(temperature > 0)) {
            throw new BundleInvalid("bundle.json.fallback.temperature is not above zero");
        }
        List<Operating> curve = new ArrayList<>();
        for (Fields point : fields.objects("curve")) {
            curve.add(new Operating(point.share("threshold"), point.share("coverage"), point.share("risk")));
        }
        return new Fallback(
            fields.share("threshold"),
            temperature,
            fields.share("risk"),
            fields.share("coverage"),
            Collections.unmodifiableList(curve));
    }

    private static int small(long value, int least, String what) throws BundleInvalid {
        if (value < least || value > Integer.MAX_VALUE) {
            throw new BundleInvalid("bundle.json." + what + " is not what it should be");
        }
        return (int) value;
    }
}
