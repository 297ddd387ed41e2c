// SIGTERM and SIGINT: asked to leave.

#pragma once

#include <functional>

namespace edgeshrink {

// From now on they end nothing by themselves. Where what goes on does not notice within a moment, `last` is done and
// the process ends.
void leave_when_asked(const std::function<void()> & last);

bool leaving();

enum class Wait { kReady, kLate, kLeaving };

// Until `file` has one of poll's `events` (or an error, or an end), at most `seconds`.
Wait wait_for(int file, short events, double seconds);

}  // namespace edgeshrink
