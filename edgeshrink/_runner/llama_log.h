// What llama.cpp says in its log: devices, buffers, and the words of an error.

#pragma once

#include "ggml.h"

#include <string>
#include <utility>
#include <vector>

namespace edgeshrink {

struct Log {
    bool verbose = false;
    std::string line, words;  // words: the last errors
    std::vector<std::string> used;
    std::vector<std::pair<std::string, double>> buffers;
    int gpu_layers = 0;

    void forget() { *this = Log{verbose, {}, {}, {}, {}, 0}; }

    void read(const std::string & text);
};

extern Log log_seen;

// For llama_log_set.
void on_log(ggml_log_level level, const char * text, void * unused);

// For ggml_set_abort_callback: a violated assertion in the library would end the process without a word.
void on_abort(const char * message);

// Failure with the last errors of the log; `memory` where they say so.
[[noreturn]] void fail_with_log(const char * code, const std::string & what);

}  // namespace edgeshrink
