// Sensors, read beside the work.

#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace edgeshrink {

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

}  // namespace edgeshrink
