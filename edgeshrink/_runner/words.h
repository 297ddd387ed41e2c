// Text that comes in pieces of bytes.

#pragma once

#include <string>

namespace edgeshrink {

// Bytes in, whole characters out: what is no UTF-8 becomes U+FFFD, once for each longest beginning of a character
// (The Unicode Standard, chapter 3, "U+FFFD Substitution of Maximal Subparts"), as Python's decoder does.
class Words {
  public:
    // Whole characters that `bytes` completes; the beginning of another is held back.
    std::string add(const std::string & bytes);

    // What is held back when nothing follows.
    std::string end();

  private:
    std::string held_;
};

bool is_utf8(const std::string & text);

}  // namespace edgeshrink
