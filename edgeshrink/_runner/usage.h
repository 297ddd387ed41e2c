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
    CpuUse();
    void tell() const;

  private:
    double from_, own_, all_;
};

}  // namespace edgeshrink
