#include "watch.h"

#include "clock.h"
#include "failure.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <thread>

namespace edgeshrink {

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

}  // namespace edgeshrink
