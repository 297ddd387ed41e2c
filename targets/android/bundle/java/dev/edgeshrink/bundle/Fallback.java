package dev.edgeshrink.bundle;

/** When the app should hand over to something else: where an answer's confidence is below the threshold. */
public final class Fallback {
    /** Hand over below this confidence, 0 to 1. */
    public final double threshold;
    /** Divide the logits by this before the confidence is computed. */
    public final double temperature;
    /** Share of wrong answers among those that were kept, on held-out items. */
    public final double risk;
    /** Share of answers that were kept. */
    public final double coverage;

    Fallback(double threshold, double temperature, double risk, double coverage) {
        this.threshold = threshold;
        this.temperature = temperature;
        this.risk = risk;
        this.coverage = coverage;
    }

    /** Whether an answer of that confidence should be handed over. */
    public boolean handOver(double confidence) {
        return !(confidence >= threshold);
    }
}
