// Loads from a cold and from a warm page cache, timed.

#include "clock.h"
#include "commands.h"
#include "events.h"
#include "failure.h"
#include "model.h"
#include "text.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

namespace edgeshrink {

namespace {

constexpr double kLoadsSeconds = 5.0;

#if !defined(__APPLE__)
// Share of the file's pages in the page cache; -1 where it cannot be asked.
double resident_share(int file, size_t size) {
    const auto page = size_t(sysconf(_SC_PAGESIZE));
    void * mapped = size == 0 ? MAP_FAILED : mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
    if (mapped == MAP_FAILED) return -1;
    std::vector<unsigned char> pages((size + page - 1) / page);
    const bool seen = mincore(mapped, size, pages.data()) == 0;
    munmap(mapped, size);
    if (!seen) return -1;
    const auto there = std::count_if(pages.begin(), pages.end(), [](unsigned char state) { return (state & 1) != 0; });
    return double(there) / double(pages.size());
}
#endif

// Asks the system to forget the file's pages: the share that stayed, -1 unknown. `why_not` where it cannot be asked.
double drop_cache(const std::string & path, std::string & why_not) {
    const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat state{};
    if (file < 0 || fstat(file, &state) != 0) throw Failure{"model", path + ": " + std::strerror(errno)};
    double stayed = -1;
#if defined(__APPLE__)
    why_not = "macOS has no posix_fadvise: the file cannot be taken out of the page cache";
#else
    fsync(file);  // pages that are not on disk yet cannot be dropped
    const int code = posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    if (code != 0)
        why_not = std::string("posix_fadvise: ") + std::strerror(code);
    else
        stayed = resident_share(file, size_t(state.st_size));
#endif
    close(file);
    return stayed;
}

// Milliseconds from the path to the first computed token: with mapped weights, opening alone reads little of the file.
double load_once(const Options & options) {
    const double began = now_s();
    Model model(options, false);
    const llama_token bos = llama_vocab_bos(model.vocab);
    model.step(bos == LLAMA_TOKEN_NULL ? 0 : bos);
    return 1e3 * (now_s() - began);
}

}  // namespace

void loads(const Options & options) {
    const int count = options.count == 0 ? 5 : options.count;
    std::string why_not;
    double spent_ms = 0;
    for (int i = 0; i < count && spent_ms < 1e3 * kLoadsSeconds; i++) {
        const double stayed = drop_cache(options.model, why_not);
        if (!why_not.empty()) {
            say(R"({"event":"note","what":%s})", quoted(why_not).c_str());
            break;
        }
        const double ms = load_once(options);
        spent_ms += ms;
        say(R"({"event":"load","cold":true,"ms":%.3f,"stayed":%s})", ms,
            real(stayed < 0 ? NAN : stayed, "%.6g").c_str());
    }
    load_once(options);
    spent_ms = 0;
    for (int i = 0; i < count && spent_ms < 1e3 * kLoadsSeconds; i++) {
        const double ms = load_once(options);
        spent_ms += ms;
        say(R"({"event":"load","cold":false,"ms":%.3f,"stayed":null})", ms);
    }
}

}  // namespace edgeshrink
