#include "sockets.h"

#include "failure.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace edgeshrink {

namespace {

constexpr int kWaiting = 64;         // clients that may wait for their turn
constexpr mode_t kOthersOut = 0117;  // umask: 0660 is left

[[noreturn]] void fail(const std::string & path, const std::string & why) {
    throw Failure{"socket", path + ": " + why};
}

sockaddr_un address_of(const std::string & path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof(address.sun_path))
        fail(path, "a socket's path has 1 to " + std::to_string(sizeof(address.sun_path) - 1) + " bytes");
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

int new_socket() {
    const int file = socket(AF_UNIX, SOCK_STREAM, 0);
    if (file < 0) throw Failure{"socket", std::string("no socket: ") + std::strerror(errno)};
    fcntl(file, F_SETFD, FD_CLOEXEC);
    return file;
}

int connect_file(int file, const std::string & path) {
    const sockaddr_un address = address_of(path);
    return connect(file, reinterpret_cast<const sockaddr *>(&address), sizeof(address));
}

enum class There { kNothing, kDeadServer };

// What stands at `path`; Failure where it must stay.
There look(const std::string & path) {
    struct stat state{};
    if (lstat(path.c_str(), &state) != 0) {
        if (errno == ENOENT) return There::kNothing;
        fail(path, std::strerror(errno));
    }
    if (!S_ISSOCK(state.st_mode)) fail(path, "something else than a socket stands there");
    const Descriptor probe(new_socket());
    set_free(probe.file());
    if (connect_file(probe.file(), path) == 0 || errno == EAGAIN || errno == EINPROGRESS)
        fail(path, "a server answers there already");
    if (errno == ENOENT) return There::kNothing;
    if (errno != ECONNREFUSED) fail(path, std::strerror(errno));
    return There::kDeadServer;
}

int listen_at(const std::string & path) {
    const sockaddr_un address = address_of(path);
    const size_t slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    // Two servers that find the same dead socket must not take away each other's new one.
    const Descriptor alone(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (alone.file() < 0 || flock(alone.file(), LOCK_EX) != 0) fail(folder, std::strerror(errno));
    if (look(path) == There::kDeadServer) unlink(path.c_str());
    const int file = new_socket();
    const mode_t kept = umask(kOthersOut);
    const int bound = bind(file, reinterpret_cast<const sockaddr *>(&address), sizeof(address));
    const int why = errno;
    umask(kept);
    if (bound != 0 || listen(file, kWaiting) != 0) {
        close(file);
        fail(path, std::strerror(bound != 0 ? why : errno));
    }
    set_free(file);
    return file;
}

}  // namespace

Descriptor::~Descriptor() {
    if (file_ >= 0) close(file_);
}

Listening::Listening(const std::string & path) : socket_(listen_at(path)), path_(path) {
    struct stat state{};
    if (lstat(path.c_str(), &state) != 0) fail(path, std::strerror(errno));
    device_ = state.st_dev;
    number_ = state.st_ino;
}

Listening::Listening(int file) : socket_(file) { set_free(file); }

void Listening::remove() const {
    struct stat state{};
    if (path_.empty() || lstat(path_.c_str(), &state) != 0) return;
    if (state.st_dev == device_ && state.st_ino == number_) unlink(path_.c_str());
}

void refuse_where_one_answers(const std::string & path) {
    address_of(path);
    look(path);
}

int connect_to(const std::string & path) {
    address_of(path);
    const int file = new_socket();
    while (connect_file(file, path) != 0) {
        if (errno == EINTR) continue;
        const int why = errno;
        close(file);
        fail(path, why == ENOENT || why == ECONNREFUSED ? "no server answers there" : std::strerror(why));
    }
    return file;
}

void set_free(int file) {
    fcntl(file, F_SETFD, FD_CLOEXEC);
    fcntl(file, F_SETFL, fcntl(file, F_GETFL) | O_NONBLOCK);
}

}  // namespace edgeshrink
