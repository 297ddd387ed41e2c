package dev.edgeshrink.bundle;

/** What opens the artifact: the two are a pair, and another engine is refused. */
public final class Engine {
    /** edgeshrink's name of it: "llama_cpp", "onnx", "executorch". */
    public final String runtime;
    /** The project's own name: "llama.cpp". */
    public final String project;
    /** The Python distribution whose version was measured: "llama-cpp-python". */
    public final String packageName;
    /** The version that the artifact was made and measured with. */
    public final String version;

    Engine(String runtime, String project, String packageName, String version) {
        this.runtime = runtime;
        this.project = project;
        this.packageName = packageName;
        this.version = version;
    }

    @Override
    public String toString() {
        return project + " " + version + " (" + packageName + ")";
    }
}
