import android.content.Context;
import dev.edgeshrink.bundle.AssetSource;
import dev.edgeshrink.bundle.BundleException;
import dev.edgeshrink.bundle.Chat;
import dev.edgeshrink.bundle.Fallback;
import dev.edgeshrink.bundle.FolderSource;
import dev.edgeshrink.bundle.ModelBundle;
import dev.edgeshrink.bundle.Operating;
import dev.edgeshrink.bundle.Runner;
import dev.edgeshrink.bundle.Source;
import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.FileNotFoundException;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Random;
import java.util.TreeMap;

/** Does to a bundle what an app would do, and prints what came of it: one fact a line, or the exception. */
public final class Ask {
    private static long read;

    public static void main(String[] args) throws Exception {
        System.setOut(new java.io.PrintStream(System.out, true, "UTF-8"));
        try {
            switch (args[0]) {
                case "folder":
                    look(counted(new FolderSource(new File(args[1]))), new File(args[2]), args);
                    break;
                case "assets":
                    look(counted(new AssetSource(context(args[1]), args[2])), new File(args[3]), args);
                    break;
                case "pack":
                    look(AssetSource.ofPack(context(args[1]), args[2]), new File(args[3]), args);
                    break;
                case "each":
                    for (String line : Files.readAllLines(new File(args[1]).toPath())) {
                        try {
                            open(line.getBytes(StandardCharsets.UTF_8), new File(args[2]));
                            System.out.println("opened");
                        } catch (BundleException error) {
                            System.out.println(error.getClass().getSimpleName());
                        }
                    }
                    break;
                case "fuzz":
                    fuzz(Files.readAllBytes(new File(args[1]).toPath()), Long.parseLong(args[2]), args[3], args[4]);
                    break;
                case "runner":
                    File cache = new File(args[3]);
                    ModelBundle bundle = ModelBundle.open(new FolderSource(new File(args[2])), cache);
                    StringBuilder heard = new StringBuilder();
                    Runner runner = new Runner(new File(args[1]));
                    String answer = runner.answer(bundle, args[4], 8, cache, heard::append);
                    say("answer", answer);
                    say("heard", heard.toString().equals(answer));
                    break;
                default:
                    throw new IllegalArgumentException(args[0]);
            }
        } catch (BundleException error) {
            System.out.println(error.getClass().getSimpleName() + ": " + error.getMessage());
        }
    }

    private static Context context(String archive) {
        return new Context(new File(archive), new File(archive).getParentFile());
    }

    private static void look(Source source, File cache, String[] args) throws Exception {
        ModelBundle bundle = ModelBundle.open(source, cache);
        say("read", read);
        say("name", bundle.name());
        say("engine", bundle.engine());
        say("context", bundle.context());
        say("memory", bundle.memoryBytes());
        say("limit", bundle.memoryLimitBytes());
        Chat chat = bundle.chat();
        say("prompt", chat == null ? null : chat.prompt("hi"));
        say("stop", chat == null ? null : chat.stop + " " + chat.stopIds);
        Fallback fallback = bundle.fallback();
        say("fallback", fallback == null ? null : fallback.handOver(0.5));
        if (fallback != null) {
            say("probability", fallback.probability(new float[] {1, 2, 3, -1}, 2));
            say("probability_of_none", fallback.probability(new float[] {1, Float.NaN}, 0));
            say("risk", fallback.risk + " of " + fallback.coverage);
            StringBuilder curve = new StringBuilder();
            for (Operating point : fallback.curve) {
                curve.append(point.threshold + " " + point.coverage + " " + point.risk + ";");
            }
            say("curve", curve);
        }
        for (String arg : Arrays.asList(args)) {
            if (arg.startsWith("engine=")) {
                String[] pair = arg.substring(7).split("/");
                bundle.requireEngine(pair[0], pair[1]);
            } else if (arg.startsWith("base=")) {
                bundle.requireBase(arg.substring(5));
            } else if (arg.equals("path")) {
                File path = bundle.path();
                say("path", path);
                say("path_sha256", path.isFile() ? sha256(ByteBuffer.wrap(Files.readAllBytes(path.toPath()))) : "folder");
            } else if (arg.equals("map")) {
                MappedByteBuffer mapped = bundle.map();
                say("map_sha256", sha256(mapped));
            } else if (arg.startsWith("text=")) {
                say("text", new String(bundle.read(arg.substring(5)), StandardCharsets.UTF_8).trim());
            }
        }
    }

    private static void say(String name, Object value) {
        System.out.println(name + "=" + value);
    }

    private static String sha256(ByteBuffer bytes) throws Exception {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        digest.update(bytes);
        return String.format("%064x", new java.math.BigInteger(1, digest.digest()));
    }

    private static Source counted(Source inner) {
        return new Source() {
            @Override
            public InputStream open(String name) throws IOException {
                InputStream stream = inner.open(name);
                return name.equals("bundle.json") ? stream : new FilterInputStream(stream) {
                    @Override
                    public int read(byte[] to, int from, int most) throws IOException {
                        int count = super.read(to, from, most);
                        read += Math.max(0, count);
                        return count;
                    }
                };
            }

            @Override
            public String stamp(String name) throws IOException {
                return inner.stamp(name);
            }

            @Override
            public File path(String name) {
                return inner.path(name);
            }

            @Override
            public MappedByteBuffer map(String name) throws IOException, BundleException {
                return inner.map(name);
            }

            @Override
            public String toString() {
                return inner.toString();
            }
        };
    }

    /** A bundle of nothing but bundle.json. */
    private static void open(byte[] json, File cache) throws IOException, BundleException {
        ModelBundle.open(new Source() {
            @Override
            public InputStream open(String name) throws IOException {
                if (!name.equals("bundle.json")) {
                    throw new FileNotFoundException(name);
                }
                return new ByteArrayInputStream(json);
            }

            @Override
            public String stamp(String name) throws IOException {
                throw new FileNotFoundException(name);
            }

            @Override
            public File path(String name) {
                return null;
            }

            @Override
            public MappedByteBuffer map(String name) {
                return null;
            }
        }, cache);
    }

    /** Changes the bytes at random: whatever comes, it is refused by type, and quickly. */
    private static void fuzz(byte[] sound, long seed, String count, String cache) throws IOException {
        Random random = new Random(seed);
        byte[] marks = "{}[]\",:\\0123456789-+.eEutfn \u0001../".getBytes(StandardCharsets.UTF_8);
        TreeMap<String, Integer> seen = new TreeMap<>();
        for (int round = 0; round < Integer.parseInt(count); round++) {
            byte[] json = Arrays.copyOf(sound, random.nextInt(8) == 0 ? random.nextInt(sound.length) : sound.length);
            for (int change = random.nextInt(4); change >= 0 && json.length > 0; change--) {
                int at = random.nextInt(json.length);
                json[at] = random.nextBoolean() ? marks[random.nextInt(marks.length)] : (byte) random.nextInt(256);
            }
            String name;
            try {
                open(json, new File(cache));
                name = "opened";
            } catch (BundleException error) {
                name = error.getClass().getSimpleName();
            }
            seen.merge(name, 1, Integer::sum);
        }
        say("seen", seen);
    }
}
