#include "output_text.h"

#include "failure.h"
#include "text.h"

#include <unistd.h>

#include <cerrno>

namespace edgeshrink {

void write_out(const std::string & text) {
    for (size_t done = 0; done < text.size();) {
        const ssize_t count = write(STDOUT_FILENO, text.data() + done, text.size() - done);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) _exit(kGone);
        done += size_t(count);
    }
}

TextOutput::TextOutput() : terminal_(isatty(STDOUT_FILENO) == 1) {}

void TextOutput::write(const std::string & text) const {
    write_out(terminal_ ? harmless(text) : text);
}

void TextOutput::end() const {
    if (terminal_) write("\n");
}

}  // namespace edgeshrink
