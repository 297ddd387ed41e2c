// The one clock of all events.

#pragma once

namespace edgeshrink {

// CLOCK_BOOTTIME seconds, as in /proc/uptime.
double now_s();

}  // namespace edgeshrink
