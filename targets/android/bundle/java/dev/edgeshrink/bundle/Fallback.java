package dev.edgeshrink.bundle;

import java.util.List;

/**
 * When the app should hand over to something else: where an answer's confidence is below the threshold.
 *
 * <p>The confidence of an answer is the smallest {@link #probability} of any token chosen in it, its stop token
 * included.
 */
public final class Fallback {
    /** Hand over below this confidence, 0 to 1. */
    public final double threshold;
    /** Divide the logits by this before the confidence is computed. */
    public final double temperature;
    /** Share of wrong answers among those that were kept, on held-out items. */
    public final double risk;
    /** Share of answers that were kept. */
    public final double coverage;
    /** Risk and coverage at other thresholds, in rising order. */
    public final List<Operating> curve;

    Fallback(double threshold, double temperature, double risk, double coverage, List<Operating> curve) {
        this.threshold = threshold;
        this.temperature = temperature;
        this.risk = risk;
        this.coverage = coverage;
        this.curve = curve;
    }

    /** Whether an answer of that confidence should be handed over. */
    public boolean handOver(double confidence) {
        return !(confidence >= threshold);
    }

    /**
     * Of the chosen token: softmax(logits / temperature). Logits that are no numbers make it 0.
     *
     * @param logits one for each token of the vocabulary
     * @param chosen the token's id
     */
    public double probability(float[] logits, int chosen) {
        double largest = Double.NEGATIVE_INFINITY;
        for (float logit : logits) {
            largest = Math.max(largest, logit);
        }
        double sum = 0;
        for (float logit : logits) {
            sum += Math.exp((logit - largest) / temperature);
        }
        double probability = Math.exp((logits[chosen] - largest) / temperature) / sum;
        return probability >= 0 ? probability : 0;
    }
}
