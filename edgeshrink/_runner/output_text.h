// An answer on stdout.

#pragma once

#include <string>

namespace edgeshrink {

// As it is, but for a terminal: there control characters are left out, and a newline ends it.
class TextOutput {
  public:
    TextOutput();
    void write(const std::string & text) const;
    void end() const;

  private:
    bool terminal_;
};

}  // namespace edgeshrink
