#include "clock.h"

#include <ctime>

namespace edgeshrink {

namespace {

double seconds_of(clockid_t clock) {
    timespec now{};
    clock_gettime(clock, &now);
    return double(now.tv_sec) + 1e-9 * double(now.tv_nsec);
}

}  // namespace

double now_s() {
#if defined(__APPLE__)
    return seconds_of(CLOCK_MONOTONIC);
#else
    return seconds_of(CLOCK_BOOTTIME);
#endif
}

}  // namespace edgeshrink
