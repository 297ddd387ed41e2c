package dev.edgeshrink.bundle;

import java.util.Collections;
import java.util.List;

/**
 * How a single question is put to the model.
 *
 * <p>{@link #before} and {@link #after} are tokenized with their special tokens parsed and nothing added, the question
 * as plain text: then nobody can speak in another role by typing a special token.
 */
public final class Chat {
    /** What stands before the question, special tokens included. */
    public final String before;
    /** What stands after the question, special tokens included. */
    public final String after;
    /** Texts of the tokens that end an answer. */
    public final List<String> stop;
    /** Ids of the tokens that end an answer. */
    public final List<Long> stopIds;
    /** The file with the whole template, relative to the bundle; null where there is none. */
    public final String template;

    Chat(String before, String after, List<String> stop, List<Long> stopIds, String template) {
        this.before = before;
        this.after = after;
        this.stop = Collections.unmodifiableList(stop);
        this.stopIds = Collections.unmodifiableList(stopIds);
        this.template = template;
    }

    /** The whole prompt as one text, for an engine that cannot take the three parts on their own. */
    public String prompt(String question) {
        return before + question + after;
    }
}
