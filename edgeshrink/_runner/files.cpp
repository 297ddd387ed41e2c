#include "files.h"

#include "failure.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace edgeshrink {

ssize_t read_small(const char * path, char * buffer, size_t room) {
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) return -1;
    size_t got = 0;
    while (got < room) {
        const ssize_t count = read(file, buffer + got, room - got);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && got == 0) {
            close(file);
            return -1;
        }
        if (count <= 0) break;
        got += size_t(count);
    }
    close(file);
    return ssize_t(got);
}

std::string read_text(const std::string & path, size_t room) {
    std::string text(room, 0);
    const ssize_t size = read_small(path.c_str(), &text[0], room);
    if (size < 0) throw Failure{"text", path + ": cannot be read: " + std::strerror(errno)};
    text.resize(size_t(size));
    while (size_t(size) == room && !text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0) == 0x80)
        text.pop_back();
    if (size_t(size) == room && !text.empty() && static_cast<unsigned char>(text.back()) >= 0xC0) text.pop_back();
    return text;
}

}  // namespace edgeshrink
