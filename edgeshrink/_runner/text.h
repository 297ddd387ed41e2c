// Text as JSON has it, and its parts.

#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace edgeshrink {

// Bytes of a UTF-8 sequence that begins with `lead` and is longer than that, 0 where none does.
size_t utf8_promised(unsigned char lead);

// Length of the valid UTF-8 sequence at `text`, 0 where there is none.
size_t utf8_length(const unsigned char * text, size_t left);

// As a JSON string; bytes that are no UTF-8 become U+FFFD.
std::string quoted(const std::string & text);

// For a terminal: control characters but tab and newline become U+FFFD, as do bytes that are no UTF-8.
std::string harmless(const std::string & text);

// A number in printf's `format`, "null" where it is not finite.
std::string real(double value, const char * format);

std::vector<std::string> split(const std::string & text, char by);

template <class Values, class Write>
std::string list(const Values & values, Write write) {
    std::string found = "[";
    for (const auto & value : values) {
        if (found.size() > 1) found += ',';
        found += write(value);
    }
    return found += ']';
}

}  // namespace edgeshrink
