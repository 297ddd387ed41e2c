// What the process and the machine use: memory, page faults, CPU time.

#pragma once

namespace edgeshrink {

struct Faults {
    long long major, minor;
};

Faults faults();

// "memory", as an event.
void tell_memory(const char * phase);

// CPU seconds, the process's and the machine's, between construction and tell().
class CpuUse {
  public:
    CpuUse() : from_(now_s()), own_(own_cpu_s()), all_(busy_cpu_s()) {}

    void tell() const {
        const double all = busy_cpu_s();
        say(R"({"event":"cpu","from":%.6f,"to":%.6f,"own_s":%.6f,"all_s":%.6f,"cpus":%ld})", from_, now_s(),
            own_cpu_s() - own_, all_ < 0 || all < 0 ? -1.0 : all - all_, sysconf(_SC_NPROCESSORS_ONLN));
    }

  private:
    double from_, own_, all_;
};

}  // namespace edgeshrink
