// Text on stdout.

#pragma once

#include <string>

namespace edgeshrink {

// All of it, at once. Where nobody reads it any more, the process ends.
void write_out(const std::string & text);

// An answer: as it is, but for a terminal: there control characters are left out, and a newline ends it.
class TextOutput {
  public:
    TextOutput();
    void write(const std::string & text) const;
    void end() const;

  private:
    bool terminal_;
};

}  // namespace edgeshrink
