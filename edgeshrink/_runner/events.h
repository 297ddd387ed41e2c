// Events: whole JSON lines on stdout, from any thread.

#pragma once

#include <string>

namespace edgeshrink {

// A line in printf's format, out at once.
[[gnu::format(printf, 1, 2)]] void say(const char * format, ...);

// A line that may wait up to half a second for company.
void say_later(const std::string & text);

// From now on nothing is said: stdout is for an answer, and errors go to stderr.
void say_nothing();

// "error", as an event; as a line on stderr where nothing is said, or where the person typed it wrong.
void say_error(const char * code, const std::string & what);

}  // namespace edgeshrink
