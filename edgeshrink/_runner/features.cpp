#include "features.h"

#include "text.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <utility>

#if defined(__APPLE__)
#include <sys/sysctl.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

#ifndef EDGESHRINK_REQUIRES
#define EDGESHRINK_REQUIRES ""
#endif

namespace edgeshrink {

namespace {

// Whether this CPU has a feature, by GCC's name for it. False for a name that is not known here.
bool cpu_has(const std::string & name) {
#if defined(__APPLE__)
    static const std::pair<const char *, const char *> kNames[] = {
        {"neon", "hw.optional.neon"},          {"dotprod", "hw.optional.arm.FEAT_DotProd"},
        {"fp16", "hw.optional.arm.FEAT_FP16"}, {"i8mm", "hw.optional.arm.FEAT_I8MM"},
        {"bf16", "hw.optional.arm.FEAT_BF16"}, {"lse", "hw.optional.arm.FEAT_LSE"},
        {"sme", "hw.optional.arm.FEAT_SME"},
    };
    for (const auto & known : kNames) {
        int value = 0;
        size_t size = sizeof(value);
        if (name == known.first) return sysctlbyname(known.second, &value, &size, nullptr, 0) == 0 && value != 0;
    }
#elif defined(__aarch64__)
    // asm/hwcap.h; by number, since older headers lack the newer names
    struct Bit {
        const char * name;
        unsigned long type, bit;
    };
    static const Bit kBits[] = {
        {"neon", AT_HWCAP, 1},     {"lse", AT_HWCAP, 8},    {"fp16", AT_HWCAP, 10},
        {"dotprod", AT_HWCAP, 20}, {"sve", AT_HWCAP, 22},   {"sve2", AT_HWCAP2, 1},
        {"i8mm", AT_HWCAP2, 13},   {"bf16", AT_HWCAP2, 14}, {"sme", AT_HWCAP2, 23},
    };
    for (const Bit & known : kBits)
        if (name == known.name) return (getauxval(known.type) >> known.bit & 1) != 0;
#elif defined(__x86_64__)
    __builtin_cpu_init();
    // The builtin takes literals only.
    if (name == "sse4.2") return __builtin_cpu_supports("sse4.2") != 0;
    if (name == "avx") return __builtin_cpu_supports("avx") != 0;
    if (name == "avx2") return __builtin_cpu_supports("avx2") != 0;
    if (name == "fma") return __builtin_cpu_supports("fma") != 0;
    if (name == "bmi2") return __builtin_cpu_supports("bmi2") != 0;
    if (name == "avx512f") return __builtin_cpu_supports("avx512f") != 0;
    if (name == "avx512bw") return __builtin_cpu_supports("avx512bw") != 0;
    if (name == "avx512vnni") return __builtin_cpu_supports("avx512vnni") != 0;
#endif
    return false;
}

}  // namespace

std::vector<std::string> missing_features() {
    std::vector<std::string> missing;
    for (const std::string & name : split(EDGESHRINK_REQUIRES, ','))
        if (!cpu_has(name)) missing.push_back(name);
    return missing;
}

std::vector<std::string> kernel_features(const char * system_info) {
    std::vector<std::string> names;
    bool cpu = true;
    for (std::string part : split(system_info, '|')) {
        const size_t colon = part.find(" : ");
        if (colon != std::string::npos) {
            cpu = part.find("CPU") < colon;
            part.erase(0, colon + 3);
        }
        char name[64];
        int value = 0;
        if (cpu && std::sscanf(part.c_str(), " %63s = %d", name, &value) == 2 && value == 1) {
            std::string small = name;
            std::transform(small.begin(), small.end(), small.begin(),
                           [](unsigned char c) { return char(std::tolower(c)); });
            names.push_back(small);
        }
    }
    return names;
}

}  // namespace edgeshrink
