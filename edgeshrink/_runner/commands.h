// What the program does, a file each.

#pragma once

#include "options.h"

namespace edgeshrink {

void bench(const Options & options);
void loads(const Options & options);
void greedy(const Options & options);
void logits(const Options & options);
void bandwidth(const Options & options);
void answer(const Options & options);
void serve(const Options & options);
void ask(const Options & options);

}  // namespace edgeshrink
