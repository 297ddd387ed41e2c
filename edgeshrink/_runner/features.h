// What this CPU can, and what the kernels were compiled for.

#pragma once

#include <string>
#include <vector>

namespace edgeshrink {

// Those of EDGESHRINK_REQUIRES that this CPU lacks.
std::vector<std::string> missing_features();

// Names that are 1 in the CPU part of "CPU : NEON = 1 | DOTPROD = 1 | CUDA : ARCHS = 870 | ", in small letters.
std::vector<std::string> kernel_features(const char * system_info);

}  // namespace edgeshrink
