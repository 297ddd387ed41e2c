// edgeshrink-runner: loads a GGUF where it will live, times it or lets it answer.
//
//   info | bench | loads | greedy | logits | bandwidth      say what they saw as JSON lines on stdout
//   answer | serve | ask                                    an answer as text on stdout, or over a Unix socket
//
// Options: options.cpp. Exit codes: 0 done (last line: "end"), 1 failed (an "error" event says why), 2 usage, 3 this
// CPU lacks what the kernels were compiled for ("missing" event, before any of them ran), 4 deadline, 5 the other end
// is gone. `answer`, `serve` and `ask` say errors on stderr, events with --json only.
// All times are CLOCK_BOOTTIME seconds, as in /proc/uptime; sizes are bytes; -1 is "not readable here".
//
// Compiled without -march flags, so that the check of the CPU itself runs everywhere. The build passes
//   EDGESHRINK_BUILD     the build's id            EDGESHRINK_LLAMA   version of the llama.cpp sources
//   EDGESHRINK_REQUIRES  "dotprod,i8mm": CPU features that the kernels were compiled for

#include "clock.h"
#include "commands.h"
#include "events.h"
#include "failure.h"
#include "features.h"
#include "llama_log.h"
#include "options.h"
#include "text.h"
#include "watch.h"

#include "llama.h"

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <vector>

#ifndef EDGESHRINK_BUILD
#define EDGESHRINK_BUILD "unknown"
#endif
#ifndef EDGESHRINK_LLAMA
#define EDGESHRINK_LLAMA "unknown"
#endif

namespace edgeshrink {

namespace {

struct Command {
    const char * name;
    void (*run)(const Options & options);
};

constexpr Command kCommands[] = {
    {"bench", bench},         {"loads", loads},   {"greedy", greedy}, {"logits", logits},
    {"bandwidth", bandwidth}, {"answer", answer}, {"serve", serve},
};

// Those whose stdout is the answer's.
bool plain(const std::string & command) { return command == "answer" || command == "serve" || command == "ask"; }

void hello() {
    const char * info = llama_print_system_info();
    say(R"({"event":"hello","protocol":1,"build":%s,"llama":%s,"system_info":%s,"features":%s,"page_bytes":%ld,)"
        R"("pid":%ld,"t":%.6f})",
        quoted(EDGESHRINK_BUILD).c_str(), quoted(EDGESHRINK_LLAMA).c_str(), quoted(info).c_str(),
        list(kernel_features(info), quoted).c_str(), sysconf(_SC_PAGESIZE), long(getpid()), now_s());
}

void run(const Options & options) {
    if (plain(options.command)) say_events(options.json);
    watch(options.hold_stdin, options.deadline_s);
    if (options.command == "ask") return ask(options);
    log_seen.verbose = options.verbose;
    llama_log_set(on_log, nullptr);
    ggml_set_abort_callback(on_abort);
    llama_backend_init();
    hello();
    for (const Command & one : kCommands)
        if (options.command == one.name) one.run(options);
    say(R"({"event":"end","t":%.6f})", now_s());
}

int run_all(int argc, char ** argv) {
    const bool is_plain = argc > 1 && plain(argv[1]);
    say_events(!is_plain);
    const std::vector<std::string> missing = missing_features();
    if (!missing.empty()) {
        const std::string names = list(missing, quoted);
        if (is_plain) say_error("missing", "this CPU lacks what this runner was compiled for: " + names);
        say(R"({"event":"missing","features":%s})", names.c_str());
        return kMissing;
    }
    Failure failure{"", ""};
    try {
        run(parse(argc, argv));
        return kDone;
    } catch (const Failure & caught) {
        failure = caught;
    } catch (const std::bad_alloc &) {
        failure = {"memory", "no memory left"};
    } catch (const std::exception & caught) {
        failure = {"internal", caught.what()};
    }
    say_error(failure.code, failure.what);
    if (failure.exit == kUsage && !is_plain) std::fprintf(stderr, "%s\n", failure.what.c_str());
    return failure.exit;
}

}  // namespace

}  // namespace edgeshrink

int main(int argc, char ** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    return edgeshrink::run_all(argc, argv);
}
