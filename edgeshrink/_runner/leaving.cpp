#include "leaving.h"

#include "clock.h"
#include "failure.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <thread>

namespace edgeshrink {

namespace {

constexpr double kMoment = 0.6;  // seconds

std::atomic<bool> asked{false};
int wake[2] = {-1, -1};  // written to once, never read: whoever waits for it sees it

void on_signal(int) {
    const int kept = errno;
    if (!asked.exchange(true)) {
        const ssize_t written = write(wake[1], "", 1);
        (void)written;
    }
    errno = kept;
}

}  // namespace

void leave_when_asked(const std::function<void()> & last) {
    if (pipe(wake) != 0) throw Failure{"internal", "no pipe"};
    for (const int end : wake) fcntl(end, F_SETFD, FD_CLOEXEC);
    std::thread([last] {
        pollfd state{wake[0], POLLIN, 0};
        while (poll(&state, 1, -1) <= 0) {
        }
        std::this_thread::sleep_for(std::chrono::duration<double>(kMoment));
        last();
        _exit(kDone);
    }).detach();
    struct sigaction action{};
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, nullptr);
    sigaction(SIGINT, &action, nullptr);
}

bool leaving() { return asked; }

Wait wait_for(int file, short events, double seconds) {
    const double end = now_s() + seconds;
    for (;;) {
        pollfd states[2] = {{file, events, 0}, {wake[0], POLLIN, 0}};
        const double left_ms = std::min(1e3 * (end - now_s()), 60e3);
        const int ready = poll(states, 2, int(std::ceil(std::max(left_ms, 0.0))));
        if (asked) return Wait::kLeaving;
        if (ready > 0 && states[0].revents != 0) return Wait::kReady;
        if (now_s() >= end) return Wait::kLate;
    }
}

}  // namespace edgeshrink
