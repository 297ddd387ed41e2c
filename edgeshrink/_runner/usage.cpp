#include "usage.h"

#include "clock.h"
#include "events.h"
#include "files.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#if defined(__APPLE__)
#include <mach/mach.h>
#endif

namespace edgeshrink {

namespace {

struct Memory {
    long long hwm = -1, rss = -1, anon = -1, file = -1, shmem = -1;
};

Memory memory() {
    Memory found;
#if defined(__APPLE__)
    task_vm_info_data_t info{};
    mach_msg_type_number_t count = TASK_VM_INFO_COUNT;
    if (task_info(mach_task_self(), TASK_VM_INFO, reinterpret_cast<task_info_t>(&info), &count) == KERN_SUCCESS) {
        found.rss = static_cast<long long>(info.resident_size);
        found.anon = static_cast<long long>(info.phys_footprint);
        found.file = static_cast<long long>(info.external);
        found.shmem = 0;
    }
    rusage use{};
    getrusage(RUSAGE_SELF, &use);
    found.hwm = use.ru_maxrss;  // bytes here, not KiB
#else
    char text[8192];
    const ssize_t size = read_small("/proc/self/status", text, sizeof(text) - 1);
    if (size <= 0) return found;
    text[size] = 0;
    const auto kib = [&](const char * name) {
        const char * at = std::strstr(text, name);
        return at == nullptr ? -1 : 1024 * std::atoll(at + std::strlen(name));
    };
    found = {kib("\nVmHWM:"), kib("\nVmRSS:"), kib("\nRssAnon:"), kib("\nRssFile:"), kib("\nRssShmem:")};
#endif
    return found;
}

double own_cpu_s() {
    rusage use{};
    getrusage(RUSAGE_SELF, &use);
    return double(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           1e-6 * double(use.ru_utime.tv_usec + use.ru_stime.tv_usec);
}

// Seconds that all CPUs together were busy since boot; -1 where the system does not show it.
double busy_cpu_s() {
    char text[512];
    const ssize_t size = read_small("/proc/stat", text, sizeof(text) - 1);
    if (size <= 0) return -1;
    text[size] = 0;
    unsigned long long user, nice, system, idle, iowait, irq, softirq, steal;
    if (std::sscanf(text, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system, &idle, &iowait, &irq,
                    &softirq, &steal) != 8) {
        return -1;
    }
    return double(user + nice + system + irq + softirq + steal) / double(sysconf(_SC_CLK_TCK));
}

}  // namespace

Faults faults() {
    rusage use{};
    getrusage(RUSAGE_SELF, &use);
    return {use.ru_majflt, use.ru_minflt};
}

void tell_memory(const char * phase) {
    const Memory seen = memory();
    const Faults had = faults();
    say(R"({"event":"memory","phase":"%s","t":%.6f,"hwm":%lld,"rss":%lld,"anon":%lld,"file":%lld,"shmem":%lld,)"
        R"("majflt":%lld,"minflt":%lld})",
        phase, now_s(), seen.hwm, seen.rss, seen.anon, seen.file, seen.shmem, had.major, had.minor);
}

CpuUse::CpuUse() : from_(now_s()), own_(own_cpu_s()), all_(busy_cpu_s()) {}

void CpuUse::tell() const {
    const double all = busy_cpu_s();
    say(R"({"event":"cpu","from":%.6f,"to":%.6f,"own_s":%.6f,"all_s":%.6f,"cpus":%ld})", from_, now_s(),
        own_cpu_s() - own_, all_ < 0 || all < 0 ? -1.0 : all - all_, sysconf(_SC_NPROCESSORS_ONLN));
}

}  // namespace edgeshrink
