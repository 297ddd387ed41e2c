// The command line.

#pragma once

#include <string>
#include <vector>

namespace edgeshrink {

struct Options {
    std::string command, model, text;
    std::vector<std::string> samples;
    std::vector<int> prompts, depths;
    int context, threads, gpu_layers, decode, repetitions, first_repetitions, warm_up, sample_ms, count, prompt_tokens,
        megabytes;
    double first_within_s, idle_s, sustain_s, deadline_s;
    bool no_mmap, hold_stdin, verbose;
};

// Failure `usage` where it is wrong.
Options parse(int argc, char ** argv);

}  // namespace edgeshrink
