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
    Sampler(const std::vector<std::string> & paths, int every_ms);
    ~Sampler();
    Sampler(const Sampler &) = delete;
    Sampler & operator=(const Sampler &) = delete;

  private:
    void run();
    void sample();

    std::vector<std::string> paths_;
    std::chrono::milliseconds every_;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool ended_ = false;
    std::thread thread_;
};

}  // namespace edgeshrink
