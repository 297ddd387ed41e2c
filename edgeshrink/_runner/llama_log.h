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

    void read(const std::string & text) {
        char name[128];
        double mib = 0;
        int layers = 0;
        const size_t colon = text.find(": ");
        const char * said = text.c_str() + (colon == std::string::npos ? 0 : colon + 2);
        if (std::sscanf(said, "using device %127s", name) == 1)
            used.push_back(name);
        else if (std::sscanf(said, "offloaded %d/", &layers) == 1)
            gpu_layers = layers;
        else if (std::sscanf(said, " %127s model buffer size = %lf MiB", name, &mib) == 2)
            buffers.emplace_back(name, mib * 1048576);
    }
} log_seen;

}  // namespace edgeshrink
