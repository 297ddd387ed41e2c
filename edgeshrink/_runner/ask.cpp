// A question to a server, its answer on stdout.

#include "answer.h"
#include "commands.h"
#include "events.h"
#include "failure.h"
#include "output_text.h"
#include "sockets.h"
#include "text.h"
#include "words.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace edgeshrink {

namespace {

constexpr char kRefused = '\xFF';
constexpr size_t kWhyBytes = 4096;

void put(int file, const std::string & question) {
    for (size_t done = 0; done < question.size();) {
        const ssize_t count = send(file, question.data() + done, question.size() - done, 0);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) break;  // it may have said why
        done += size_t(count);
    }
    shutdown(file, SHUT_WR);
}

}  // namespace

void ask(const Options & options) {
    const std::string question = question_of(options);
    const Descriptor server(connect_to(options.socket));
    put(server.file(), question);
    TextOutput output;
    Words words;
    std::string why;
    bool refused = false;
    char part[65536];
    for (;;) {
        const ssize_t count = recv(server.file(), part, sizeof(part), 0);
        if (count < 0 && errno == EINTR) continue;
        // A server that closes with some of the question unread resets the connection, after its last words.
        if (count == 0 || (count < 0 && refused)) break;
        if (count < 0) throw Failure{"socket", options.socket + ": the server went away: " + std::strerror(errno)};
        const auto * mark = refused ? part : static_cast<char *>(std::memchr(part, kRefused, size_t(count)));
        const size_t text = mark == nullptr ? size_t(count) : size_t(mark - part);
        output.write(words.add(std::string(part, text)));
        if (mark == nullptr) continue;
        why.append(mark + (refused ? 0 : 1), size_t(count) - text - (refused ? 0 : 1));
        refused = true;
        if (why.size() > kWhyBytes) break;
    }
    output.write(words.end());
    output.end();
    while (!why.empty() && why.back() == '\n') why.pop_back();
    if (refused) throw Failure{"refused", why};
}

}  // namespace edgeshrink
