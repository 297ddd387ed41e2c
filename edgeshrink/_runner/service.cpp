#include "service.h"

#include "failure.h"
#include "sockets.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

namespace edgeshrink {

namespace {

constexpr int kFirstPassed = 3;

}  // namespace

int passed_socket() {
    const char * to = std::getenv("LISTEN_PID");
    const char * count = std::getenv("LISTEN_FDS");
    if (to == nullptr || count == nullptr || std::strtol(to, nullptr, 10) != long(getpid())) return -1;
    if (std::string(count) != "1") throw Failure{"socket", std::string("LISTEN_FDS is ") + count + ", and 1 is wanted"};
    int kind = 0;
    socklen_t size = sizeof(kind);
    bool fits = getsockopt(kFirstPassed, SOL_SOCKET, SO_TYPE, &kind, &size) == 0 && kind == SOCK_STREAM;
#if defined(SO_ACCEPTCONN)
    int listens = 0;
    size = sizeof(listens);
    if (fits && getsockopt(kFirstPassed, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0) fits = listens != 0;
#endif
    if (!fits) throw Failure{"socket", "what LISTEN_FDS hands over is no stream socket that listens"};
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return kFirstPassed;
}

void notify(const char * state) {
    const char * name = std::getenv("NOTIFY_SOCKET");
    sockaddr_un address{};
    const size_t length = name == nullptr ? 0 : std::strlen(name);
    if (length < 2 || length >= sizeof(address.sun_path) || (name[0] != '/' && name[0] != '@')) return;
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name, length);
    if (name[0] == '@') address.sun_path[0] = 0;  // no file, but a name of Linux's own
    const Descriptor socket(::socket(AF_UNIX, SOCK_DGRAM, 0));
    if (socket.file() < 0) return;
    fcntl(socket.file(), F_SETFD, FD_CLOEXEC);
    const auto size = socklen_t(offsetof(sockaddr_un, sun_path) + length + (name[0] == '@' ? 0 : 1));
    const auto * to = reinterpret_cast<const sockaddr *>(&address);
    while (sendto(socket.file(), state, std::strlen(state), 0, to, size) < 0 && errno == EINTR) {
    }
}

}  // namespace edgeshrink
