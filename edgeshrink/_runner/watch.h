// The watchdog.

#pragma once

namespace edgeshrink {

// Ends the process at the deadline, or when whoever holds our stdin is gone.
void watch(bool hold_stdin, double deadline_s);

}  // namespace edgeshrink
