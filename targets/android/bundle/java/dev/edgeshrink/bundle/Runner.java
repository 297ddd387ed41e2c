package dev.edgeshrink.bundle;

import android.content.Context;
import java.io.BufferedReader;
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Asks the model by the native runner that travels in the app as a library (jni/arm64-v8a): a program of its own, so
 * that what goes wrong in it leaves the app standing.
 *
 * <p>The app must let Android extract it: {@code packaging { jniLibs { useLegacyPackaging = true } }}.
 */
public final class Runner {
    private static final String FILE = "libedgeshrink_runner.so";
    private static final int LINE_CHARS_MAX = 1 << 20;
    private static final int SAID_BYTES = 4096;

    private final File program;

    public Runner(Context context) {
        this(new File(context.getApplicationInfo().nativeLibraryDir, FILE));
    }

    /** @param program the runner, where it is not the app's own */
    public Runner(File program) {
        this.program = program;
    }

    /** Whether the runner is in this app, and extracted. */
    public boolean present() {
        return program.isFile();
    }

    /** Gets an answer's text as it is made, whole characters only. */
    public interface Listener {
        void text(String piece);
    }

    /** The version of llama.cpp in the runner, in the numbering of llama-cpp-python. */
    public String engineVersion() throws IOException, BundleException {
        Process process = start(command("info"), null);
        try {
            process.getOutputStream().close();
            String line = firstLine(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
            return Fields.of(Json.parse(line.getBytes(StandardCharsets.UTF_8)), "the runner's first line").text("llama");
        } catch (BundleInvalid error) {
            throw new ModelUnopenable(program + " is no runner of edgeshrink: it does not say which it is", error);
        } finally {
            process.destroy();
        }
    }

    /**
     * Puts `question` to the model and waits for the whole answer; `listener` hears it as it comes.
     *
     * @param cacheDir the app's own folder, for the model where it has no path yet, and for short-lived files
     * @param tokens the most that is answered
     * @throws EngineMismatch if the runner is of another engine than the artifact
     * @throws ModelUnopenable if the runner failed; the message has what it said
     */
    public String answer(ModelBundle bundle, String question, int tokens, File cacheDir, Listener listener)
            throws IOException, BundleException, InterruptedException {
        bundle.requireEngine("llama.cpp", engineVersion());
        List<File> passing = new ArrayList<>();
        try {
            List<String> command = command("answer");
            add(command, "--model", bundle.path());
            add(command, "--context", bundle.context());
            add(command, "--threads", threads(bundle));
            add(command, "--tokens", tokens);
            Chat chat = bundle.chat();
            if (chat != null) {
                add(command, "--before", file(passing, cacheDir, chat.before));
                add(command, "--after", file(passing, cacheDir, chat.after));
                if (!chat.stopIds.isEmpty()) {
                    add(command, "--stop-ids", chat.stopIds.toString().replaceAll("[^0-9,]", ""));
                }
            }
            File said = file(passing, cacheDir, "");
            return ask(start(command, said), question, said, listener);
        } finally {
            for (File file : passing) {
                file.delete();
            }
        }
    }

    private String ask(Process process, String question, File said, Listener listener)
            throws IOException, BundleException, InterruptedException {
        StringBuilder answer = new StringBuilder();
        try {
            try (OutputStream in = process.getOutputStream()) {
                in.write((question + "\n").getBytes(StandardCharsets.UTF_8));  // it takes one newline off
            } catch (IOException error) {
                // It left without reading: its exit code and what it said tell why.
            }
            Reader out = new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8);
            char[] piece = new char[1024];
            for (int count = out.read(piece); count >= 0; count = out.read(piece)) {
                String text = new String(piece, 0, count);
                answer.append(text);
                listener.text(text);
            }
            int code = process.waitFor();
            if (code != 0) {
                throw new ModelUnopenable("the runner left with code " + code + ": " + tail(said));
            }
            return answer.toString();
        } finally {
            process.destroy();
        }
    }

    private List<String> command(String verb) {
        List<String> command = new ArrayList<>();
        command.add(program.toString());
        command.add(verb);
        return command;
    }

    private static void add(List<String> command, String option, Object value) {
        command.add(option);
        command.add(value.toString());
    }

    /** @param said gets what the runner says of errors; null: nobody reads it */
    private Process start(List<String> command, File said) throws IOException, BundleException {
        if (!present()) {
            throw new ModelUnopenable("there is no runner at " + program
                + ": the bundle has none, or the app keeps it packed (useLegacyPackaging)");
        }
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.redirectError(said == null ? new File("/dev/null") : said);
        Map<String, String> environment = builder.environment();
        environment.remove("LD_PRELOAD");
        return builder.start();
    }

    private static int threads(ModelBundle bundle) {
        Integer measured = bundle.threads();
        return measured != null ? measured : Math.max(1, Runtime.getRuntime().availableProcessors() / 2);
    }

    private static File file(List<File> passing, File folder, String text) throws IOException {
        File file = File.createTempFile("edgeshrink", ".txt", folder);
        passing.add(file);
        try (FileOutputStream out = new FileOutputStream(file)) {
            out.write(text.getBytes(StandardCharsets.UTF_8));
        }
        return file;
    }

    private static String firstLine(Reader reader) throws IOException {
        BufferedReader lines = new BufferedReader(reader);
        StringBuilder line = new StringBuilder();
        for (int c = lines.read(); c >= 0 && c != '\n' && line.length() < LINE_CHARS_MAX; c = lines.read()) {
            line.append((char) c);
        }
        return line.toString();
    }

    private static String tail(File said) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(said, "r")) {
            file.seek(Math.max(0, file.length() - SAID_BYTES));
            byte[] bytes = new byte[(int) (file.length() - file.getFilePointer())];
            file.readFully(bytes);
            return new String(bytes, StandardCharsets.UTF_8).trim();
        }
    }
}
