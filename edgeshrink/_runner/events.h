// Events: whole JSON lines on stdout, from any thread.

#pragma once

#include <string>

namespace edgeshrink {

// A line in printf's format, out at once.
[[gnu::format(printf, 1, 2)]] void say(const char * format, ...);

// A line that may wait up to half a second for company.
void say_later(const std::string & text);

// False: stdout is for an answer, no event is said, and errors go to stderr.
void say_events(bool wanted);

// "error", as an event; as a line on stderr where nothing is said.
void say_error(const char * code, const std::string & what);

}  // namespace edgeshrink
