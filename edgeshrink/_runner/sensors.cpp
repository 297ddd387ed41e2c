#include "sensors.h"

#include "clock.h"
#include "events.h"
#include "files.h"
#include "text.h"

namespace edgeshrink {

namespace {

constexpr size_t kSampleBytes = 64;

}  // namespace

Sampler::Sampler(const std::vector<std::string> & paths, int every_ms) : paths_(paths), every_(every_ms) {
    if (!paths_.empty()) thread_ = std::thread([this] { run(); });
}

Sampler::~Sampler() {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        ended_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void Sampler::run() {
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

void Sampler::sample() {
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
    say_later(R"({"event":"sample","t":)" + t + R"(,"v":)" + values + "}");
}

}  // namespace edgeshrink
