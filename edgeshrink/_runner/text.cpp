#include "text.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace edgeshrink {

size_t utf8_promised(unsigned char lead) {
    if (lead >= 0xC2 && lead <= 0xDF) return 2;
    if (lead >= 0xE0 && lead <= 0xEF) return 3;
    return lead >= 0xF0 && lead <= 0xF4 ? 4 : 0;
}

size_t utf8_length(const unsigned char * text, size_t left) {
    const unsigned char lead = text[0];
    if (lead < 0x80) return 1;
    const size_t length = utf8_promised(lead);
    if (length == 0 || length > left) return 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xC0) != 0x80) return 0;
    const bool overlong = (lead == 0xE0 && text[1] < 0xA0) || (lead == 0xF0 && text[1] < 0x90);
    const bool outside = (lead == 0xED && text[1] > 0x9F) || (lead == 0xF4 && text[1] > 0x8F);
    return overlong || outside ? 0 : length;
}

std::string quoted(const std::string & text) {
    std::string found = "\"";
    const auto * bytes = reinterpret_cast<const unsigned char *>(text.data());
    for (size_t i = 0; i < text.size();) {
        const unsigned char c = bytes[i];
        const size_t length = utf8_length(bytes + i, text.size() - i);
        if (length == 0) {
            found += "\xEF\xBF\xBD";
        } else if (c == '"' || c == '\\') {
            found += {'\\', char(c)};
        } else if (c < 0x20 || c == 0x7F) {
            char escape[8];
            std::snprintf(escape, sizeof(escape), "\\u%04x", c);
            found += escape;
        } else {
            found.append(text, i, length);
        }
        i += std::max<size_t>(length, 1);
    }
    return found += '"';
}

std::string harmless(const std::string & text) {
    std::string found;
    const auto * bytes = reinterpret_cast<const unsigned char *>(text.data());
    for (size_t i = 0; i < text.size();) {
        const unsigned char c = bytes[i];
        const size_t length = utf8_length(bytes + i, text.size() - i);
        const bool control = (c < 0x20 && c != '\t' && c != '\n') || c == 0x7F ||
                             (length == 2 && c == 0xC2 && bytes[i + 1] < 0xA0);
        if (length == 0 || control)
            found += "\xEF\xBF\xBD";
        else
            found.append(text, i, length);
        i += std::max<size_t>(length, 1);
    }
    return found;
}

std::string real(double value, const char * format) {
    char text[48];
    std::snprintf(text, sizeof(text), format, value);
    return std::isfinite(value) ? text : "null";
}

std::vector<std::string> split(const std::string & text, char by) {
    std::vector<std::string> parts;
    for (size_t from = 0; from <= text.size() && !text.empty();) {
        const size_t to = std::min(text.find(by, from), text.size());
        parts.push_back(text.substr(from, to - from));
        from = to + 1;
    }
    return parts;
}

}  // namespace edgeshrink
