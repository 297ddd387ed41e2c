#include "words.h"

#include "text.h"

namespace edgeshrink {

namespace {

constexpr const char * kReplacement = "\xEF\xBF\xBD";

// How many bytes from `text` on could begin a character that is longer than that.
size_t begun(const unsigned char * text, size_t left) {
    const unsigned char lead = text[0];
    const size_t length = utf8_promised(lead);
    if (length == 0 || left < 2) return length == 0 ? 0 : 1;
    const unsigned char least = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const unsigned char most = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (text[1] < least || text[1] > most) return 1;
    size_t found = 2;
    while (found < length && found < left && (text[found] & 0xC0) == 0x80) found++;
    return found;
}

}  // namespace

std::string Words::add(const std::string & bytes) {
    held_ += bytes;
    std::string whole;
    size_t at = 0;
    while (at < held_.size()) {
        const auto * text = reinterpret_cast<const unsigned char *>(held_.data()) + at;
        const size_t left = held_.size() - at;
        const size_t length = utf8_length(text, left);
        if (length > 0) {
            whole.append(held_, at, length);
            at += length;
            continue;
        }
        const size_t part = begun(text, left);
        if (part > 0 && part == left) break;  // the rest of it may come
        whole += kReplacement;
        at += part > 0 ? part : 1;
    }
    held_.erase(0, at);
    return whole;
}

std::string Words::end() {
    const std::string rest = held_.empty() ? "" : kReplacement;
    held_.clear();
    return rest;
}

bool is_utf8(const std::string & text) {
    const auto * bytes = reinterpret_cast<const unsigned char *>(text.data());
    for (size_t at = 0; at < text.size();) {
        const size_t length = utf8_length(bytes + at, text.size() - at);
        if (length == 0) return false;
        at += length;
    }
    return true;
}

}  // namespace edgeshrink
