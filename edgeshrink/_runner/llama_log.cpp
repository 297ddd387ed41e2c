#include "llama_log.h"

#include "events.h"
#include "failure.h"
#include "text.h"

#include <unistd.h>

#include <cstdio>

namespace edgeshrink {

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

// A violated assertion in the library would end the process without a word on stdout.
void on_abort(const char * message) {
    say(R"({"event":"error","code":"assertion","what":%s})", quoted(message).c_str());
    _exit(kFailed);
}

[[noreturn]] void fail_with_log(const char * code, const std::string & what) {
    const std::string & words = log_seen.words;
    const bool memory = words.find("allocate") != std::string::npos || words.find("out of memory") != std::string::npos;
    throw Failure{memory ? "memory" : code, what + (words.empty() ? "" : ": " + words)};
}

}  // namespace edgeshrink
