#include "llama_log.h"

#include "events.h"
#include "failure.h"

#include <unistd.h>

#include <cstdio>

namespace edgeshrink {

namespace {

constexpr size_t kWordsKept = 600;

}  // namespace

Log log_seen;

void Log::read(const std::string & text) {
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

void on_log(ggml_log_level level, const char * text, void *) {
    if (log_seen.verbose) std::fputs(text, stderr);
    if (level != GGML_LOG_LEVEL_CONT) log_seen.line.clear();
    log_seen.line += text;
    if (log_seen.line.empty() || log_seen.line.back() != '\n') return;
    log_seen.line.pop_back();
    log_seen.read(log_seen.line);
    if (level == GGML_LOG_LEVEL_ERROR) {
        log_seen.words += (log_seen.words.empty() ? "" : "; ") + log_seen.line;
        if (log_seen.words.size() > kWordsKept) log_seen.words.erase(0, log_seen.words.size() - kWordsKept);
    }
    log_seen.line.clear();
}

void on_abort(const char * message) {
    say_error("assertion", message);
    _exit(kFailed);
}

void fail_with_log(const char * code, const std::string & what) {
    const std::string & words = log_seen.words;
    const bool memory = words.find("allocate") != std::string::npos || words.find("out of memory") != std::string::npos;
    throw Failure{memory ? "memory" : code, what + (words.empty() ? "" : ": " + words)};
}

}  // namespace edgeshrink
