// Small files, read whole.

#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>

namespace edgeshrink {

// Up to `room` bytes of a small file; -1 where it cannot be read.
ssize_t read_small(const char * path, char * buffer, size_t room);

// The beginning of a text file, cut between two characters.
std::string read_text(const std::string & path, size_t room);

}  // namespace edgeshrink
