// How the runner ends.

#pragma once

#include <string>

namespace edgeshrink {

enum Exit { kDone = 0, kFailed = 1, kUsage = 2, kMissing = 3, kDeadline = 4, kGone = 5 };

struct Failure {
    const char * code;
    std::string what;
    int exit = kFailed;
};

}  // namespace edgeshrink
