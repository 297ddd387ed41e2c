#include "events.h"

#include "clock.h"
#include "output_text.h"
#include "text.h"

#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <mutex>

namespace edgeshrink {

namespace {

constexpr double kFlushEvery = 0.5;  // seconds

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
        write_out(waiting_);
        waiting_.clear();
    }

    std::mutex mutex_;
    std::string waiting_;
    double flushed_ = 0;
};

Output output;
std::atomic<bool> silent{false};

}  // namespace

void say(const char * format, ...) {
    if (silent) return;
    std::va_list values, again;
    va_start(values, format);
    va_copy(again, values);
    std::string text(size_t(std::vsnprintf(nullptr, 0, format, values)), 0);
    std::vsnprintf(&text[0], text.size() + 1, format, again);
    va_end(again);
    va_end(values);
    output.line(text, true);
}

void say_later(const std::string & text) {
    if (!silent) output.line(text, false);
}

void say_events(bool wanted) { silent = !wanted; }

void say_error(const char * code, const std::string & what) {
    if (silent) std::fprintf(stderr, "edgeshrink-runner: %s\n", harmless(what).c_str());
    say(R"({"event":"error","code":"%s","what":%s})", code, quoted(what).c_str());
}

}  // namespace edgeshrink
