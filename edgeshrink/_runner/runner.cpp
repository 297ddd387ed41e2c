// edgeshrink-runner: loads a GGUF where it will live, times it, and says what it saw as JSON lines on stdout.
//
//   info | bench | loads | greedy | logits | bandwidth        (options: `parse` below)
//
// Exit codes: 0 done (last line: "end"), 1 failed (an "error" event says why), 2 usage, 3 this CPU lacks what the
// kernels were compiled for ("missing" event, before any of them ran), 4 deadline, 5 the other end is gone.
// All times are CLOCK_BOOTTIME seconds, as in /proc/uptime; sizes are bytes; -1 is "not readable here".
//
// Compiled without -march flags, so that the check of the CPU itself runs everywhere. The build passes
//   EDGESHRINK_BUILD     the build's id            EDGESHRINK_LLAMA   version of the llama.cpp sources
//   EDGESHRINK_REQUIRES  "dotprod,i8mm": CPU features that the kernels were compiled for

#include "ggml-backend.h"
#include "ggml-cpu.h"
#include "llama.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <csignal>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <exception>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#if defined(__APPLE__)
#include <mach/mach.h>
#include <sys/sysctl.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

#ifndef EDGESHRINK_BUILD
#define EDGESHRINK_BUILD "unknown"
#endif
#ifndef EDGESHRINK_LLAMA
#define EDGESHRINK_LLAMA "unknown"
#endif
#ifndef EDGESHRINK_REQUIRES
#define EDGESHRINK_REQUIRES ""
#endif

namespace {

using Ids = std::vector<llama_token>;

enum Exit { kDone = 0, kFailed = 1, kUsage = 2, kMissing = 3, kDeadline = 4, kGone = 5 };

constexpr int kBatch = 512;  // llama.cpp's own default of tokens computed at once
constexpr int kWarmUpPrompt = 32;
constexpr size_t kPromptShown = 4096;
constexpr size_t kSampleBytes = 64;
constexpr size_t kWordsKept = 600;
constexpr double kFlushEvery = 0.5;  // seconds
constexpr size_t kLogitBytes = 64u << 20;
constexpr double kLoadsSeconds = 5.0;

struct Failure {
    const char * code;
    std::string what;
    int exit = kFailed;
};

// ---------------------------------------------------------------------------------------------- clock and system

double seconds_of(clockid_t clock) {
    timespec now{};
    clock_gettime(clock, &now);
    return double(now.tv_sec) + 1e-9 * double(now.tv_nsec);
}

double now_s() {
#if defined(__APPLE__)
    return seconds_of(CLOCK_MONOTONIC);
#else
    return seconds_of(CLOCK_BOOTTIME);
#endif
}

// Up to `room` bytes of a small file; -1 where it cannot be read.
ssize_t read_small(const char * path, char * buffer, size_t room) {
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) return -1;
    size_t got = 0;
    while (got < room) {
        const ssize_t count = read(file, buffer + got, room - got);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && got == 0) {
            close(file);
            return -1;
        }
        if (count <= 0) break;
        got += size_t(count);
    }
    close(file);
    return ssize_t(got);
}

struct Faults {
    long long major, minor;
};

Faults faults() {
    rusage use{};
    getrusage(RUSAGE_SELF, &use);
    return {use.ru_majflt, use.ru_minflt};
}

struct Memory {
    long long hwm = -1, rss = -1, anon = -1, file = -1, shmem = -1;
};

Memory memory() {
    Memory found;
#if defined(__APPLE__)
    task_vm_info_data_t info{};
    mach_msg_type_number_t count = TASK_VM_INFO_COUNT;
    if (task_info(mach_task_self(), TASK_VM_INFO, reinterpret_cast<task_info_t>(&info), &count) == KERN_SUCCESS) {
        found.rss = static_cast<long long>(info.resident_size);
        found.anon = static_cast<long long>(info.phys_footprint);
        found.file = static_cast<long long>(info.external);
        found.shmem = 0;
    }
    rusage use{};
    getrusage(RUSAGE_SELF, &use);
    found.hwm = use.ru_maxrss;  // bytes here, not KiB
#else
    char text[8192];
    const ssize_t size = read_small("/proc/self/status", text, sizeof(text) - 1);
    if (size <= 0) return found;
    text[size] = 0;
    const auto kib = [&](const char * name) {
        const char * at = std::strstr(text, name);
        return at == nullptr ? -1 : 1024 * std::atoll(at + std::strlen(name));
    };
    found = {kib("\nVmHWM:"), kib("\nVmRSS:"), kib("\nRssAnon:"), kib("\nRssFile:"), kib("\nRssShmem:")};
#endif
    return found;
}

double own_cpu_s() {
    rusage use{};
    getrusage(RUSAGE_SELF, &use);
    return double(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           1e-6 * double(use.ru_utime.tv_usec + use.ru_stime.tv_usec);
}

// Seconds that all CPUs together were busy since boot; -1 where the system does not show it.
double busy_cpu_s() {
    char text[512];
    const ssize_t size = read_small("/proc/stat", text, sizeof(text) - 1);
    if (size <= 0) return -1;
    text[size] = 0;
    unsigned long long user, nice, system, idle, iowait, irq, softirq, steal;
    if (std::sscanf(text, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system, &idle, &iowait, &irq,
                    &softirq, &steal) != 8) {
        return -1;
    }
    return double(user + nice + system + irq + softirq + steal) / double(sysconf(_SC_CLK_TCK));
}

// ---------------------------------------------------------------------------------------------- JSON lines

// Length of the valid UTF-8 sequence at `text`, 0 where there is none.
size_t utf8_length(const unsigned char * text, size_t left) {
    const unsigned char lead = text[0];
    if (lead < 0x80) return 1;
    const size_t length = lead >= 0xC2 && lead <= 0xDF   ? 2
                          : lead >= 0xE0 && lead <= 0xEF ? 3
                          : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                         : 0;
    if (length == 0 || length > left) return 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xC0) != 0x80) return 0;
    const bool overlong = (lead == 0xE0 && text[1] < 0xA0) || (lead == 0xF0 && text[1] < 0x90);
    const bool outside = (lead == 0xED && text[1] > 0x9F) || (lead == 0xF4 && text[1] > 0x8F);
    return overlong || outside ? 0 : length;
}

std::string quoted(const std::string & text) {
    std::string found = "\"";
    const auto * bytes = reinterpret_cast<const unsigned char *>(text.data());
    for (size_t i = 0; i < text.size();) {
        const unsigned char c = bytes[i];
        const size_t length = utf8_length(bytes + i, text.size() - i);
        if (length == 0) {
            found += "\xEF\xBF\xBD";
        } else if (c == '"' || c == '\\') {
            found += {'\\', char(c)};
        } else if (c < 0x20 || c == 0x7F) {
            char escape[8];
            std::snprintf(escape, sizeof(escape), "\\u%04x", c);
            found += escape;
        } else {
            found.append(text, i, length);
        }
        i += std::max<size_t>(length, 1);
    }
    return found += '"';
}

std::string real(double value, const char * format) {
    char text[48];
    std::snprintf(text, sizeof(text), format, value);
    return std::isfinite(value) ? text : "null";
}

template <class Values, class Write>
std::string list(const Values & values, Write write) {
    std::string found = "[";
    for (const auto & value : values) {
        if (found.size() > 1) found += ',';
        found += write(value);
    }
    return found += ']';
}

std::string list(const Ids & ids) {
    return list(ids, [](llama_token id) { return std::to_string(id); });
}

// Whole lines, from any thread. Samples wait for company; everything else goes out at once.
class Output {
  public:
    void line(const std::string & text, bool at_once) {
        const std::lock_guard<std::mutex> lock(mutex_);
        waiting_ += text;
        waiting_ += '\n';
        const double now = now_s();
        if (at_once || now - flushed_ > kFlushEvery) {
            flush();
            flushed_ = now;
        }
    }

  private:
    void flush() {
        size_t done = 0;
        while (done < waiting_.size()) {
            const ssize_t count = write(STDOUT_FILENO, waiting_.data() + done, waiting_.size() - done);
            if (count < 0 && errno == EINTR) continue;
            if (count < 0) _exit(kGone);
            done += size_t(count);
        }
        waiting_.clear();
    }

    std::mutex mutex_;
    std::string waiting_;
    double flushed_ = 0;
};

Output output;

[[gnu::format(printf, 1, 2)]] void say(const char * format, ...) {
    std::va_list values, again;
    va_start(values, format);
    va_copy(again, values);
    std::string text(size_t(std::vsnprintf(nullptr, 0, format, values)), 0);
    std::vsnprintf(&text[0], text.size() + 1, format, again);
    va_end(again);
    va_end(values);
    output.line(text, true);
}

void tell_memory(const char * phase) {
    const Memory seen = memory();
    const Faults had = faults();
    say(R"({"event":"memory","phase":"%s","t":%.6f,"hwm":%lld,"rss":%lld,"anon":%lld,"file":%lld,"shmem":%lld,)"
        R"("majflt":%lld,"minflt":%lld})",
        phase, now_s(), seen.hwm, seen.rss, seen.anon, seen.file, seen.shmem, had.major, had.minor);
}

// CPU seconds, the process's and the machine's, between construction and tell().
class CpuUse {
  public:
    CpuUse() : from_(now_s()), own_(own_cpu_s()), all_(busy_cpu_s()) {}

    void tell() const {
        const double all = busy_cpu_s();
        say(R"({"event":"cpu","from":%.6f,"to":%.6f,"own_s":%.6f,"all_s":%.6f,"cpus":%ld})", from_, now_s(),
            own_cpu_s() - own_, all_ < 0 || all < 0 ? -1.0 : all - all_, sysconf(_SC_NPROCESSORS_ONLN));
    }

  private:
    double from_, own_, all_;
};

// ---------------------------------------------------------------------------------------------- CPU features

std::vector<std::string> split(const std::string & text, char by) {
    std::vector<std::string> parts;
    for (size_t from = 0; from <= text.size() && !text.empty();) {
        const size_t to = std::min(text.find(by, from), text.size());
        parts.push_back(text.substr(from, to - from));
        from = to + 1;
    }
    return parts;
}

// Whether this CPU has a feature, by GCC's name for it. False for a name that is not known here.
bool cpu_has(const std::string & name) {
#if defined(__APPLE__)
    static const std::pair<const char *, const char *> kNames[] = {
        {"neon", "hw.optional.neon"},          {"dotprod", "hw.optional.arm.FEAT_DotProd"},
        {"fp16", "hw.optional.arm.FEAT_FP16"}, {"i8mm", "hw.optional.arm.FEAT_I8MM"},
        {"bf16", "hw.optional.arm.FEAT_BF16"}, {"lse", "hw.optional.arm.FEAT_LSE"},
        {"sme", "hw.optional.arm.FEAT_SME"},
    };
    for (const auto & known : kNames) {
        int value = 0;
        size_t size = sizeof(value);
        if (name == known.first) return sysctlbyname(known.second, &value, &size, nullptr, 0) == 0 && value != 0;
    }
#elif defined(__aarch64__)
    // asm/hwcap.h; by number, since older headers lack the newer names
    struct Bit {
        const char * name;
        unsigned long type, bit;
    };
    static const Bit kBits[] = {
        {"neon", AT_HWCAP, 1},     {"lse", AT_HWCAP, 8},    {"fp16", AT_HWCAP, 10},
        {"dotprod", AT_HWCAP, 20}, {"sve", AT_HWCAP, 22},   {"sve2", AT_HWCAP2, 1},
        {"i8mm", AT_HWCAP2, 13},   {"bf16", AT_HWCAP2, 14}, {"sme", AT_HWCAP2, 23},
    };
    for (const Bit & known : kBits)
        if (name == known.name) return (getauxval(known.type) >> known.bit & 1) != 0;
#elif defined(__x86_64__)
    __builtin_cpu_init();
    // The builtin takes literals only.
    if (name == "sse4.2") return __builtin_cpu_supports("sse4.2") != 0;
    if (name == "avx") return __builtin_cpu_supports("avx") != 0;
    if (name == "avx2") return __builtin_cpu_supports("avx2") != 0;
    if (name == "fma") return __builtin_cpu_supports("fma") != 0;
    if (name == "bmi2") return __builtin_cpu_supports("bmi2") != 0;
    if (name == "avx512f") return __builtin_cpu_supports("avx512f") != 0;
    if (name == "avx512bw") return __builtin_cpu_supports("avx512bw") != 0;
    if (name == "avx512vnni") return __builtin_cpu_supports("avx512vnni") != 0;
#endif
    return false;
}

std::vector<std::string> missing_features() {
    std::vector<std::string> missing;
    for (const std::string & name : split(EDGESHRINK_REQUIRES, ','))
        if (!cpu_has(name)) missing.push_back(name);
    return missing;
}

// Names that are 1 in the CPU part of "CPU : NEON = 1 | DOTPROD = 1 | CUDA : ARCHS = 870 | ", in small letters.
std::vector<std::string> kernel_features(const char * system_info) {
    std::vector<std::string> names;
    bool cpu = true;
    for (std::string part : split(system_info, '|')) {
        const size_t colon = part.find(" : ");
        if (colon != std::string::npos) {
            cpu = part.find("CPU") < colon;
            part.erase(0, colon + 3);
        }
        char name[64];
        int value = 0;
        if (cpu && std::sscanf(part.c_str(), " %63s = %d", name, &value) == 2 && value == 1) {
            std::string small = name;
            std::transform(small.begin(), small.end(), small.begin(),
                           [](unsigned char c) { return char(std::tolower(c)); });
            names.push_back(small);
        }
    }
    return names;
}

// ---------------------------------------------------------------------------------------------- command line

struct Options {
    std::string command, model, text;
    std::vector<std::string> samples;
    std::vector<int> prompts, depths;
    int context, threads, gpu_layers, decode, repetitions, first_repetitions, warm_up, sample_ms, count, prompt_tokens,
        megabytes;
    double first_within_s, idle_s, sustain_s, deadline_s;
    bool no_mmap, hold_stdin, verbose;
};

constexpr double kTokens = 1 << 24;

[[noreturn]] void refuse(const std::string & what) { throw Failure{"usage", what, kUsage}; }

// Options as given; what nobody asked for in the end is no option.
class Arguments {
  public:
    Arguments(int argc, char ** argv) {
        for (int i = 2; i < argc; i++) {
            const std::string name = argv[i];
            if (name == "--no-mmap" || name == "--hold-stdin" || name == "--verbose")
                given_[name] = {""};
            else if (++i < argc)
                given_[name].push_back(argv[i]);
            else
                refuse(name + " wants a value");
        }
    }

    std::vector<std::string> all(const char * name) {
        known_.insert(name);
        const auto found = given_.find(name);
        return found == given_.end() ? std::vector<std::string>() : found->second;
    }
    bool flag(const char * name) { return !all(name).empty(); }
    std::string text(const char * name) { return flag(name) ? all(name).back() : ""; }
    double real(const char * name, double otherwise, double most) {
        return flag(name) ? number(name, text(name), 0, most) : otherwise;
    }
    int whole(const char * name, int otherwise, double least, double most) {
        return flag(name) ? whole_number(name, text(name), least, most) : otherwise;
    }
    std::vector<int> wholes(const char * name, double least) {
        std::vector<int> found;
        for (const std::string & part : split(text(name), ','))
            found.push_back(whole_number(name, part, least, kTokens));
        return found;
    }
    void refuse_others() const {
        for (const auto & one : given_)
            if (known_.count(one.first) == 0) refuse("there is no option " + one.first);
    }

  private:
    static double number(const std::string & name, const std::string & value, double least, double most) {
        char * end = nullptr;
        const double found = std::strtod(value.c_str(), &end);
        const bool digits = !value.empty() && value.find_first_not_of("-.0123456789") == std::string::npos;
        if (!digits || *end != 0 || !(found >= least && found <= most))
            refuse(name + " wants a number from " + ::real(least, "%.0f") + " to " + ::real(most, "%.0f") + ", not '" +
                   value + "'");
        return found;
    }
    static int whole_number(const std::string & name, const std::string & value, double least, double most) {
        const double found = number(name, value, least, most);
        if (found != std::floor(found)) refuse(name + " wants a whole number, not '" + value + "'");
        return int(found);
    }

    std::map<std::string, std::vector<std::string>> given_;
    std::set<std::string> known_;
};

Options parse(int argc, char ** argv) {
    static const char * const kCommands[] = {"info", "bench", "loads", "greedy", "logits", "bandwidth"};
    Options to;
    to.command = argc > 1 ? argv[1] : "";
    if (std::find(std::begin(kCommands), std::end(kCommands), to.command) == std::end(kCommands))
        refuse("edgeshrink-runner info | bench | loads | greedy | logits | bandwidth");
    Arguments given(argc, argv);
    to.model = given.text("--model");
    to.text = given.text("--text");
    to.context = given.whole("--context", 0, 1, kTokens);
    to.threads = given.whole("--threads", 0, 1, 512);
    to.gpu_layers = given.whole("--gpu-layers", 0, -1, 100000);
    to.no_mmap = given.flag("--no-mmap");
    to.prompts = given.wholes("--prompts", 1);
    to.depths = given.wholes("--depths", 0);
    to.decode = given.whole("--decode", 128, 1, kTokens);
    to.repetitions = given.whole("--repetitions", 5, 1, 100000);
    to.first_repetitions = given.whole("--first-repetitions", 0, 0, 100000);
    to.first_within_s = given.real("--first-within-s", 0, 1e6);
    to.warm_up = given.whole("--warm-up", 8, 0, 100000);
    to.idle_s = given.real("--idle-s", 0, 1e6);
    to.sustain_s = given.real("--sustain-s", 0, 1e6);
    to.sample_ms = given.whole("--sample-ms", 50, 1, 60000);
    to.samples = given.all("--sample");
    to.count = given.whole("--count", 0, 1, kTokens);
    to.prompt_tokens = given.whole("--prompt-tokens", 0, 1, kTokens);
    to.megabytes = given.whole("--megabytes", 256, 1, 65536);
    to.deadline_s = given.real("--deadline-s", 0, 1e7);
    to.hold_stdin = given.flag("--hold-stdin");
    to.verbose = given.flag("--verbose");
    given.refuse_others();
    const bool computes = to.command != "info" && to.command != "bandwidth";
    const bool prompts = to.command == "greedy" || to.command == "logits";
    if (computes && (to.model.empty() || to.context == 0)) refuse(to.command + " wants --model and --context");
    if (to.command != "info" && to.threads == 0) refuse(to.command + " wants --threads");
    if (prompts && to.prompt_tokens == 0) refuse(to.command + " wants --prompt-tokens");
    if (to.command == "greedy" && to.count == 0) refuse("greedy wants --count");
    return to;
}

// ---------------------------------------------------------------------------------------------- watchdog, sensors

// Ends the process at the deadline, or when whoever holds our stdin is gone.
void watch(bool hold_stdin, double deadline_s) {
    if (!hold_stdin && deadline_s <= 0) return;
    const double end = deadline_s > 0 ? now_s() + deadline_s : INFINITY;
    std::thread([hold_stdin, end] {
        pollfd stdin_state{STDIN_FILENO, POLLIN, 0};
        char ignored[256];
        for (;;) {
            const double left_ms = 1e3 * (end - now_s());
            if (left_ms <= 0) _exit(kDeadline);
            const int wait_ms = int(std::ceil(std::min(left_ms, 60e3)));
            const int ready = poll(&stdin_state, hold_stdin ? 1 : 0, wait_ms);
            if (ready > 0 && read(STDIN_FILENO, ignored, sizeof(ignored)) == 0) _exit(kGone);
            if (ready > 0 && (stdin_state.revents & POLLIN) == 0) _exit(kGone);
        }
    }).detach();
}

// Reads small files at fixed times while it lives. Opened anew each time: a file may be replaced under its name.
class Sampler {
  public:
    Sampler(const std::vector<std::string> & paths, int every_ms) : paths_(paths), every_(every_ms) {
        if (!paths_.empty()) thread_ = std::thread([this] { run(); });
    }
    ~Sampler() {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            ended_ = true;
        }
        wake_.notify_all();
        if (thread_.joinable()) thread_.join();
    }
    Sampler(const Sampler &) = delete;
    Sampler & operator=(const Sampler &) = delete;

  private:
    void run() {
        auto next = std::chrono::steady_clock::now();
        std::unique_lock<std::mutex> lock(mutex_);
        while (!ended_) {
            lock.unlock();
            sample();
            lock.lock();
            const auto now = std::chrono::steady_clock::now();
            next += every_;
            if (next < now)  // late by whole turns: those are gone
                next += every_ * ((now - next) / every_ + 1);
            wake_.wait_until(lock, next, [this] { return ended_; });
        }
    }

    void sample() {
        constexpr const char * kBlank = " \t\r\n";
        const double began = now_s();
        const std::string values = list(paths_, [](const std::string & path) {
            char bytes[kSampleBytes];
            const ssize_t size = read_small(path.c_str(), bytes, sizeof(bytes));
            if (size < 0) return std::string("null");
            const std::string text(bytes, size_t(size));
            const size_t from = text.find_first_not_of(kBlank);
            return quoted(from == std::string::npos ? "" : text.substr(from, text.find_last_not_of(kBlank) + 1 - from));
        });
        const std::string t = real(0.5 * (began + now_s()), "%.6f");
        output.line(R"({"event":"sample","t":)" + t + R"(,"v":)" + values + "}", false);
    }

    std::vector<std::string> paths_;
    std::chrono::milliseconds every_;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool ended_ = false;
    std::thread thread_;
};

// ---------------------------------------------------------------------------------------------- llama.cpp's log

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

// ---------------------------------------------------------------------------------------------- a loaded model

// The first of the greatest values, as numpy's argmax; in lanes, so that compilers use vector registers.
llama_token greatest(const float * values, int count) {
    constexpr int kLanes = 16;
    float lanes[kLanes];
    std::fill(lanes, lanes + kLanes, -INFINITY);
    int i = 0;
    for (; i + kLanes <= count; i += kLanes)
        for (int k = 0; k < kLanes; k++) lanes[k] = values[i + k] > lanes[k] ? values[i + k] : lanes[k];
    float best = *std::max_element(lanes, lanes + kLanes);
    for (; i < count; i++) best = values[i] > best ? values[i] : best;
    const float * found = std::find(values, values + count, best);
    if (found == values + count || !std::isfinite(best)) throw Failure{"compute", "the logits are not finite numbers"};
    return llama_token(found - values);
}

class Model {
  public:
    Model(const Options & options, bool all_logits) {
        log_seen.forget();
        struct stat state{};
        if (stat(options.model.c_str(), &state) != 0 || !S_ISREG(state.st_mode))
            throw Failure{"model", options.model + ": there is no such file"};
        llama_model_params settings = llama_model_default_params();
        settings.n_gpu_layers = options.gpu_layers;
        settings.load_mode = options.no_mmap ? LLAMA_LOAD_MODE_NONE : LLAMA_LOAD_MODE_MMAP;
        model_.reset(llama_model_load_from_file(options.model.c_str(), settings));
        if (!model_) fail_with_log("model", "llama.cpp cannot load " + options.model);
        if (llama_model_has_encoder(model_.get()) || !llama_model_has_decoder(model_.get()))
            throw Failure{"model", options.model + ": not a decoder, this runner generates text only"};
        vocab = llama_model_get_vocab(model_.get());
        vocab_size = llama_vocab_n_tokens(vocab);
        batch_ = std::min(kBatch, options.context);
        if (all_logits) batch_ = std::max(1, std::min(batch_, int(kLogitBytes / sizeof(float) / size_t(vocab_size))));
        wanted_.assign(size_t(batch_), all_logits ? 1 : 0);
        all_logits_ = all_logits;
        make_context(options);
        make_pool(options.threads);
    }

    void reset() { llama_memory_clear(llama_get_memory(context_.get()), false); }

    // Forget all but the first `count` positions. False where this kind of memory cannot.
    bool rewind(int count) { return llama_memory_seq_rm(llama_get_memory(context_.get()), 0, count, -1); }

    // Computes `count` ids; the id chosen greedily after them.
    llama_token prefill(const llama_token * ids, int count) {
        for (int from = 0; from < count; from += batch_)
            compute(ids + from, std::min(batch_, count - from), from + batch_ >= count);
        return greatest(last_logits(), vocab_size);
    }

    llama_token step(llama_token id) {
        compute(&id, 1, true);
        return greatest(last_logits(), vocab_size);
    }

    // `tell(position, row)` for each of `ids`, from an empty context.
    template <class Tell>
    void each_logits(const Ids & ids, Tell tell) {
        reset();
        for (size_t from = 0; from < ids.size(); from += size_t(batch_)) {
            const int count = int(std::min(size_t(batch_), ids.size() - from));
            compute(ids.data() + from, count, true);
            for (int i = 0; i < count; i++) tell(from + size_t(i), llama_get_logits_ith(context_.get(), i));
        }
    }

    void require_room(int tokens) const {
        if (tokens > context()) {
            throw Failure{"context",
                          std::to_string(tokens) + " tokens do not fit a context of " + std::to_string(context())};
        }
    }

    int context() const { return int(llama_n_ctx(context_.get())); }
    const llama_model * raw() const { return model_.get(); }

    const llama_vocab * vocab = nullptr;
    int vocab_size = 0;

  private:
    void make_context(const Options & options) {
        llama_context_params settings = llama_context_default_params();
        settings.n_ctx = uint32_t(options.context);
        settings.n_batch = settings.n_ubatch = uint32_t(batch_);
        settings.n_outputs_max = all_logits_ ? 0 : 1;
        settings.n_threads = settings.n_threads_batch = options.threads;
        settings.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
        settings.offload_kqv = settings.op_offload = options.gpu_layers != 0;
        context_.reset(llama_init_from_model(model_.get(), settings));
        if (!context_) {
            fail_with_log("context",
                          "llama.cpp cannot make a context of " + std::to_string(options.context) + " tokens");
        }
    }

    // One pool for all steps: without it ggml may start its threads anew for every single one.
    void make_pool(int threads) {
        ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
        ggml_backend_reg_t backend = cpu == nullptr ? nullptr : ggml_backend_dev_backend_reg(cpu);
        if (backend == nullptr) return;
        const auto make = reinterpret_cast<decltype(ggml_threadpool_new) *>(
            ggml_backend_reg_get_proc_address(backend, "ggml_threadpool_new"));
        const auto end = reinterpret_cast<decltype(ggml_threadpool_free) *>(
            ggml_backend_reg_get_proc_address(backend, "ggml_threadpool_free"));
        if (make == nullptr || end == nullptr) return;
        ggml_threadpool_params settings = ggml_threadpool_params_default(threads);
        pool_ = {make(&settings), end};
        if (!pool_) throw Failure{"memory", "no pool of " + std::to_string(threads) + " threads"};
        llama_attach_threadpool(context_.get(), pool_.get(), nullptr);
    }

    void compute(const llama_token * ids, int count, bool last) {
        wanted_[size_t(count) - 1] = last || all_logits_;
        llama_batch batch{};
        batch.n_tokens = count;
        batch.token = const_cast<llama_token *>(ids);
        batch.logits = wanted_.data();
        const int code = llama_decode(context_.get(), batch);
        wanted_[size_t(count) - 1] = all_logits_;
        if (code != 0) {
            fail_with_log("compute", "llama.cpp could not compute " + std::to_string(count) + " tokens (code " +
                                         std::to_string(code) + ")");
        }
    }

    const float * last_logits() {
        const float * row = llama_get_logits_ith(context_.get(), -1);
        if (row == nullptr) fail_with_log("compute", "llama.cpp gave no logits");
        return row;
    }

    struct Free {
        void operator()(llama_model * model) const { llama_model_free(model); }
        void operator()(llama_context * context) const { llama_free(context); }
    };
    // In this order: the context goes first, then the pool that it computes with, then the model.
    std::unique_ptr<llama_model, Free> model_;
    std::unique_ptr<ggml_threadpool, decltype(ggml_threadpool_free) *> pool_{nullptr, nullptr};
    std::unique_ptr<llama_context, Free> context_;
    std::vector<int8_t> wanted_;
    int batch_ = 0;
    bool all_logits_ = false;
};

// What really computes: "CUDA0+CPU" with layers offloaded, "CPU" without, "+BLAS" and the like where they are built in.
std::string backend() {
    std::vector<std::string> names;
    if (log_seen.gpu_layers > 0) names = log_seen.used;
    names.push_back("CPU");
    for (size_t i = 0; i < ggml_backend_dev_count(); i++) {
        ggml_backend_dev_t device = ggml_backend_dev_get(i);
        if (ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_ACCEL)
            names.push_back(ggml_backend_dev_name(device));
    }
    std::string all;
    for (const std::string & name : names) all += (all.empty() ? "" : "+") + name;
    return all;
}

// Loads the model and says so.
std::unique_ptr<Model> load(const Options & options, bool all_logits = false) {
    const double began = now_s();
    std::unique_ptr<Model> model = std::make_unique<Model>(options, all_logits);
    const double ms = 1e3 * (now_s() - began);
    std::vector<std::string> devices;
    for (size_t i = 0; i < ggml_backend_dev_count(); i++) {
        ggml_backend_dev_t device = ggml_backend_dev_get(i);
        devices.push_back(std::string(ggml_backend_dev_name(device)) + ": " + ggml_backend_dev_description(device));
    }
    const std::string mapped = list(log_seen.buffers, [](const std::pair<std::string, double> & one) {
        return quoted(one.first) + ":" + real(one.second, "%.0f");
    });
    say(R"({"event":"loaded","ms":%.3f,"model_bytes":%llu,"parameters":%llu,"context":%d,"vocab":%d,"backend":%s,)"
        R"("devices":%s,"gpu_layers":%d,"threads":%d,"mapped":%s,"buffers":{%s}})",
        ms, (unsigned long long)llama_model_size(model->raw()), (unsigned long long)llama_model_n_params(model->raw()),
        model->context(), model->vocab_size, quoted(backend()).c_str(), list(devices, quoted).c_str(),
        log_seen.gpu_layers, options.threads, options.no_mmap || !llama_supports_mmap() ? "false" : "true",
        mapped.substr(1, mapped.size() - 2).c_str());
    return model;
}

// ---------------------------------------------------------------------------------------------- prompts

// The beginning of a text file, cut between two characters.
std::string read_text(const std::string & path, size_t room) {
    std::string text(room, 0);
    const ssize_t size = read_small(path.c_str(), &text[0], room);
    if (size < 0) throw Failure{"text", path + ": cannot be read: " + std::strerror(errno)};
    text.resize(size_t(size));
    while (size_t(size) == room && !text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0) == 0x80)
        text.pop_back();
    if (size_t(size) == room && !text.empty() && static_cast<unsigned char>(text.back()) >= 0xC0) text.pop_back();
    return text;
}

Ids tokens_of(const Model & model, const std::string & text) {
    Ids ids(text.size() + 8);
    const int count =
        llama_tokenize(model.vocab, text.data(), int(text.size()), ids.data(), int(ids.size()), true, false);
    ids.resize(size_t(std::max(count, 0)));
    return ids;
}

// `count` ids to compute, said as an event: real text where the file has a tokenizer, since kernels see real ids.
Ids prompt(const Model & model, const Options & options, int count) {
    Ids ids;
    if (!options.text.empty() && llama_vocab_type(model.vocab) != LLAMA_VOCAB_TYPE_NONE)
        ids = tokens_of(model, read_text(options.text, 12 * size_t(count)));
    const bool from_text = ids.size() > 1;
    const size_t once = ids.size();
    ids.reserve(size_t(count));
    for (size_t i = 1; from_text && ids.size() < size_t(count); i = i + 1 < once ? i + 1 : 1)
        ids.push_back(ids[i]);  // over and over, without the BOS
    uint64_t state = 20261121;
    if (!from_text) ids.clear();
    for (uint64_t draws = 0; ids.size() < size_t(count); draws++) {
        uint64_t z = state += 0x9E3779B97F4A7C15u;  // splitmix64
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        const auto id = llama_token((z ^ (z >> 31)) % uint64_t(model.vocab_size));
        if (draws > 1000 * uint64_t(count) || !llama_vocab_is_eog(model.vocab, id)) ids.push_back(id);
    }
    ids.resize(size_t(count));
    const Ids shown(ids.begin(), ids.begin() + long(std::min(ids.size(), kPromptShown)));
    say(R"({"event":"prompt","ids":%s,"origin":"%s"})", list(shown).c_str(),
        from_text ? "tokens of shipped text" : "random ids");
    return ids;
}

std::string text_of(const Model & model, const Ids & ids) {
    if (llama_vocab_type(model.vocab) == LLAMA_VOCAB_TYPE_NONE) return "";
    std::string text(16 * ids.size() + 16, 0);
    for (int attempt = 0; attempt < 2; attempt++) {
        const int size =
            llama_detokenize(model.vocab, ids.data(), int(ids.size()), &text[0], int(text.size()), false, true);
        text.resize(size_t(std::abs(size)));
        if (size >= 0) return text;
    }
    throw Failure{"text", "llama.cpp cannot write the tokens as text"};
}

// ---------------------------------------------------------------------------------------------- bench

class Bench {
  public:
    Bench(Model & model, const Options & options, const Ids & ids) : model_(model), options_(options), ids_(ids) {}

    void warm_up() {
        if (options_.warm_up == 0) return;
        const int steps = std::min(options_.warm_up, model_.context() - 1);
        llama_token id = fill(std::min(kWarmUpPrompt, model_.context() - steps));
        for (int i = 0; i < steps; i++) id = model_.step(id);
    }

    void prefill() {
        for (size_t at = 0; at < options_.prompts.size(); at++) {
            std::vector<double> ms;
            for (int i = 0; i < options_.repetitions; i++) ms.push_back(prefill_once(options_.prompts[at], i));
            const int missing = options_.first_repetitions - options_.repetitions;
            std::sort(ms.begin(), ms.end());
            if (at == 0 && missing > 0 && missing * ms[ms.size() / 2] <= 1e3 * options_.first_within_s)
                for (int i = options_.repetitions; i < options_.first_repetitions; i++)
                    prefill_once(options_.prompts[at], i);
        }
    }

    void decode() {
        std::vector<double> ms(size_t(options_.decode));
        for (const int depth : options_.depths) {
            for (int i = 0; i < options_.repetitions; i++) {
                llama_token id = fill(depth);
                tell_memory("decode");
                const Faults before = faults();
                const double from = now_s();
                double last = from;
                for (double & step_ms : ms) {
                    id = model_.step(id);
                    const double now = now_s();
                    step_ms = 1e3 * (now - last);
                    last = now;
                }
                const Faults after = faults();
                const std::string steps = list(ms, [](double one) { return real(one, "%.4f"); });
                say(R"({"event":"decode","depth":%d,"repetition":%d,"from":%.6f,"to":%.6f,"majflt":%lld,)"
                    R"("steps_ms":%s})",
                    depth, i, from, last, after.major - before.major, steps.c_str());
                tell_memory("decode");
            }
        }
    }

    // Decode on, at the first depth over and over, so that speed changes only when the device does.
    void sustain() {
        const int depth = options_.depths.empty() ? 0 : options_.depths.front();
        const double end = now_s() + options_.sustain_s;
        const llama_token first = fill(depth);
        double from = now_s();
        int tokens = 0;
        const auto tell = [&](double to) {
            if (tokens > 0) say(R"({"event":"sustained","from":%.6f,"to":%.6f,"tokens":%d})", from, to, tokens);
            tokens = 0;
            from = now_s();
        };
        for (double now = from; now < end;) {
            llama_token id = first;
            for (int i = 0; i < options_.decode && now < end; i++) {
                id = model_.step(id);
                now = now_s();
                tokens++;
                if (now - from >= 1.0) tell(now);
            }
            if (!model_.rewind(depth)) {
                tell(now);
                fill(depth);
                from = now_s();
            }
        }
        tell(now_s());
    }

  private:
    // The first `count` ids alone in the context; the id to go on with.
    llama_token fill(int count) {
        model_.reset();
        return count == 0 ? ids_[0] : model_.prefill(ids_.data(), count);
    }

    double prefill_once(int count, int repetition) {
        model_.reset();
        const Faults before = faults();
        const double from = now_s();
        model_.prefill(ids_.data(), count);
        const double to = now_s();
        const Faults after = faults();
        const double ms = 1e3 * (to - from);
        say(R"({"event":"prefill","tokens":%d,"repetition":%d,"from":%.6f,"to":%.6f,"ms":%.4f,"majflt":%lld})", count,
            repetition, from, to, ms, after.major - before.major);
        tell_memory("prefill");
        return ms;
    }

    Model & model_;
    const Options & options_;
    const Ids & ids_;
};

void bench(const Options & options) {
    const Sampler sampler(options.samples, options.sample_ms);
    tell_memory("start");
    if (options.idle_s > 0) {
        const double from = now_s();
        std::this_thread::sleep_for(std::chrono::duration<double>(options.idle_s));
        say(R"({"event":"idle","from":%.6f,"to":%.6f})", from, now_s());
    }
    const std::unique_ptr<Model> model = load(options);
    tell_memory("loaded");
    int needed = kWarmUpPrompt;
    for (const int count : options.prompts) {
        model->require_room(count);
        needed = std::max(needed, count);
    }
    for (const int depth : options.depths) {
        model->require_room(depth + options.decode);
        needed = std::max(needed, depth);
    }
    if (options.sustain_s > 0) model->require_room(options.decode);
    const Ids ids = prompt(*model, options, needed);
    Bench run(*model, options, ids);
    run.warm_up();
    if (!options.prompts.empty() || !options.depths.empty()) {
        const CpuUse use;
        run.prefill();
        run.decode();
        use.tell();
    }
    if (options.sustain_s > 0) {
        const CpuUse use;
        run.sustain();
        use.tell();
        tell_memory("sustained");
    }
    tell_memory("end");
}

// ---------------------------------------------------------------------------------------------- loads

#if !defined(__APPLE__)
// Share of the file's pages in the page cache; -1 where it cannot be asked.
double resident_share(int file, size_t size) {
    const auto page = size_t(sysconf(_SC_PAGESIZE));
    void * mapped = size == 0 ? MAP_FAILED : mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
    if (mapped == MAP_FAILED) return -1;
    std::vector<unsigned char> pages((size + page - 1) / page);
    const bool seen = mincore(mapped, size, pages.data()) == 0;
    munmap(mapped, size);
    if (!seen) return -1;
    const auto there = std::count_if(pages.begin(), pages.end(), [](unsigned char state) { return (state & 1) != 0; });
    return double(there) / double(pages.size());
}
#endif

// Asks the system to forget the file's pages: the share that stayed, -1 unknown. `why_not` where it cannot be asked.
double drop_cache(const std::string & path, std::string & why_not) {
    const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat state{};
    if (file < 0 || fstat(file, &state) != 0) throw Failure{"model", path + ": " + std::strerror(errno)};
    double stayed = -1;
#if defined(__APPLE__)
    why_not = "macOS has no posix_fadvise: the file cannot be taken out of the page cache";
#else
    fsync(file);  // pages that are not on disk yet cannot be dropped
    const int code = posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    if (code != 0)
        why_not = std::string("posix_fadvise: ") + std::strerror(code);
    else
        stayed = resident_share(file, size_t(state.st_size));
#endif
    close(file);
    return stayed;
}

// Milliseconds from the path to the first computed token: with mapped weights, opening alone reads little of the file.
double load_once(const Options & options) {
    const double began = now_s();
    Model model(options, false);
    const llama_token bos = llama_vocab_bos(model.vocab);
    model.step(bos == LLAMA_TOKEN_NULL ? 0 : bos);
    return 1e3 * (now_s() - began);
}

void loads(const Options & options) {
    const int count = options.count == 0 ? 5 : options.count;
    std::string why_not;
    double spent_ms = 0;
    for (int i = 0; i < count && spent_ms < 1e3 * kLoadsSeconds; i++) {
        const double stayed = drop_cache(options.model, why_not);
        if (!why_not.empty()) {
            say(R"({"event":"note","what":%s})", quoted(why_not).c_str());
            break;
        }
        const double ms = load_once(options);
        spent_ms += ms;
        say(R"({"event":"load","cold":true,"ms":%.3f,"stayed":%s})", ms,
            real(stayed < 0 ? NAN : stayed, "%.6g").c_str());
    }
    load_once(options);
    spent_ms = 0;
    for (int i = 0; i < count && spent_ms < 1e3 * kLoadsSeconds; i++) {
        const double ms = load_once(options);
        spent_ms += ms;
        say(R"({"event":"load","cold":false,"ms":%.3f,"stayed":null})", ms);
    }
}

// ---------------------------------------------------------------------------------------------- parity, bandwidth

void greedy(const Options & options) {
    const std::unique_ptr<Model> model = load(options);
    model->require_room(options.prompt_tokens + options.count - 1);
    const Ids ids = prompt(*model, options, options.prompt_tokens);
    Ids chosen{model->prefill(ids.data(), int(ids.size()))};
    while (int(chosen.size()) < options.count) chosen.push_back(model->step(chosen.back()));
    say(R"({"event":"greedy","prompt":%s,"ids":%s,"text":%s})", list(ids).c_str(), list(chosen).c_str(),
        quoted(text_of(*model, chosen)).c_str());
}

void logits(const Options & options) {
    const std::unique_ptr<Model> model = load(options, true);
    model->require_room(options.prompt_tokens);
    const Ids ids = prompt(*model, options, options.prompt_tokens);
    model->each_logits(ids, [&](size_t position, const float * row) {
        const std::vector<float> values(row, row + model->vocab_size);
        say(R"({"event":"logits","position":%zu,"values":%s})", position,
            list(values, [](float value) { return real(double(value), "%.9g"); }).c_str());
    });
}

std::atomic<uint64_t> kept_sum;  // so that no compiler leaves the reading out

void sum(const uint64_t * values, size_t count) {
    uint64_t sums[8] = {};
    for (size_t i = 0; i + 8 <= count; i += 8)
        for (size_t k = 0; k < 8; k++) sums[k] += values[i + k];
    uint64_t all = 0;
    for (const uint64_t one : sums) all += one;
    kept_sum += all;
}

// Bytes read a second: the median of several runs over a buffer that no cache holds.
void bandwidth(const Options & options) {
    constexpr int kRuns = 9;
    const size_t threads = size_t(options.threads);
    const size_t each = (size_t(options.megabytes) << 20) / sizeof(uint64_t) / threads / 8 * 8;
    std::vector<std::unique_ptr<uint64_t[]>> parts(threads);
    const auto together = [&](auto work) {
        std::vector<std::thread> workers;
        for (size_t i = 0; i < threads; i++) workers.emplace_back([&, i] { work(i); });
        for (std::thread & worker : workers) worker.join();
    };
    for (auto & part : parts) part.reset(new uint64_t[each]);
    // Pages that were never written are all the same one.
    together([&](size_t i) { std::fill(parts[i].get(), parts[i].get() + each, i); });
    std::vector<double> runs;
    for (int run = 0; run <= kRuns; run++) {
        const double began = now_s();
        together([&](size_t i) { sum(parts[i].get(), each); });
        if (run > 0)  // the first is warm-up
            runs.push_back(double(threads * each * sizeof(uint64_t)) / (now_s() - began));
    }
    std::vector<double> sorted = runs;
    std::sort(sorted.begin(), sorted.end());
    say(R"({"event":"bandwidth","bytes_s":%.0f,"threads":%d,"runs":%s})", sorted[sorted.size() / 2], options.threads,
        list(runs, [](double one) { return real(one, "%.0f"); }).c_str());
}

void hello() {
    const char * info = llama_print_system_info();
    say(R"({"event":"hello","protocol":1,"build":%s,"llama":%s,"system_info":%s,"features":%s,"page_bytes":%ld,)"
        R"("pid":%ld,"t":%.6f})",
        quoted(EDGESHRINK_BUILD).c_str(), quoted(EDGESHRINK_LLAMA).c_str(), quoted(info).c_str(),
        list(kernel_features(info), quoted).c_str(), sysconf(_SC_PAGESIZE), long(getpid()), now_s());
}

void run(const Options & options) {
    watch(options.hold_stdin, options.deadline_s);
    log_seen.verbose = options.verbose;
    llama_log_set(on_log, nullptr);
    ggml_set_abort_callback(on_abort);
    llama_backend_init();
    hello();
    if (options.command == "bench")
        bench(options);
    else if (options.command == "loads")
        loads(options);
    else if (options.command == "greedy")
        greedy(options);
    else if (options.command == "logits")
        logits(options);
    else if (options.command == "bandwidth")
        bandwidth(options);
    say(R"({"event":"end","t":%.6f})", now_s());
}

}  // namespace

int main(int argc, char ** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    const std::vector<std::string> missing = missing_features();
    if (!missing.empty()) {
        say(R"({"event":"missing","features":%s})", list(missing, quoted).c_str());
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
    say(R"({"event":"error","code":"%s","what":%s})", failure.code, quoted(failure.what).c_str());
    if (failure.exit == kUsage) std::fprintf(stderr, "%s\n", failure.what.c_str());
    return failure.exit;
}
