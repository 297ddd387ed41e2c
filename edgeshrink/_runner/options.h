// The command line.

#pragma once

#include <string>
#include <vector>

namespace edgeshrink {

struct Options {
    std::string command, model, text, before, after, prompt, socket;
    std::vector<std::string> samples;
    std::vector<int> prompts, depths, stop_ids;
    int context, threads, gpu_layers, decode, repetitions, first_repetitions, warm_up, sample_ms, count, prompt_tokens,
        megabytes, tokens, seed;
    double first_within_s, idle_s, sustain_s, deadline_s, temperature, patience_s;
    bool no_mmap, hold_stdin, verbose, json, has_prompt, has_chat;
};

// Failure `usage` where it is wrong.
Options parse(int argc, char ** argv);

}  // namespace edgeshrink
