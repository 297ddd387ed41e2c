#include "output_text.h"

#include "failure.h"
#include "text.h"

#include <unistd.h>

#include <cerrno>

namespace edgeshrink {

TextOutput::TextOutput() : terminal_(isatty(STDOUT_FILENO) == 1) {}

void TextOutput::write(const std::string & text) const {
    const std::string shown = terminal_ ? harmless(text) : text;
    for (size_t done = 0; done < shown.size();) {
        const ssize_t count = ::write(STDOUT_FILENO, shown.data() + done, shown.size() - done);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) _exit(kGone);
        done += size_t(count);
    }
}

void TextOutput::end() const {
    if (terminal_) write("\n");
}

}  // namespace edgeshrink
