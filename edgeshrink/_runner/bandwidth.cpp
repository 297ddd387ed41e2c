// How fast memory is read.

#include "clock.h"
#include "commands.h"
#include "events.h"
#include "text.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

namespace edgeshrink {

namespace {

std::atomic<uint64_t> kept_sum;  // so that no compiler leaves the reading out

void sum(const uint64_t * values, size_t count) {
    uint64_t sums[8] = {};
    for (size_t i = 0; i + 8 <= count; i += 8)
        for (size_t k = 0; k < 8; k++) sums[k] += values[i + k];
    uint64_t all = 0;
    for (const uint64_t one : sums) all += one;
    kept_sum += all;
}

}  // namespace

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

}  // namespace edgeshrink
