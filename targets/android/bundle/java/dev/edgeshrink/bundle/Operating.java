package dev.edgeshrink.bundle;

/** One point of the coverage/risk curve. */
public final class Operating {
    /** Hand over below this confidence, 0 to 1. */
    public final double threshold;
    /** Share of answers that are kept then. */
    public final double coverage;
    /** Share of wrong answers among those. */
    public final double risk;

    Operating(double threshold, double coverage, double risk) {
        this.threshold = threshold;
        this.coverage = coverage;
        this.risk = risk;
    }
}
