// A loaded model that answers whoever connects to a Unix socket, one after the other.
//
// A client sends its question and shuts its writing side; the answer comes as UTF-8 while it is computed, and the end
// of the connection is its end. What goes wrong comes as the byte 0xFF, which no UTF-8 has, and one line.

#include "answer.h"
#include "clock.h"
#include "commands.h"
#include "events.h"
#include "failure.h"
#include "leaving.h"
#include "model.h"
#include "service.h"
#include "sockets.h"
#include "text.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <memory>
#include <string>

namespace edgeshrink {

namespace {

constexpr double kQuestion = 120.0;  // seconds that a question may take
constexpr double kLookEvery = 0.02;  // seconds
constexpr double kRefuse = 0.2;      // seconds that are waited for the last words to be taken

constexpr const char * kStopping = "the server is stopping";

class Client {
  public:
    // `patience_s`: seconds in which it must say or take a byte.
    Client(int file, double patience_s) : socket_(file), patience_s_(patience_s) { set_free(file); }

    // All that the client says until it shuts its writing side.
    std::string question() const {
        std::string text;
        char part[65536];
        const double end = now_s() + kQuestion;
        for (;;) {
            const double left = end - now_s();
            const Wait seen =
                left <= 0 ? Wait::kLate : wait_for(socket_.file(), POLLIN, std::min(patience_s_, left));
            if (seen == Wait::kLeaving) throw Stopped{};
            if (seen == Wait::kLate) throw Failure{"question", "the question took too long to come"};
            const ssize_t count = recv(socket_.file(), part, sizeof(part), 0);
            if (count == 0) return text;
            if (count < 0 && errno != EINTR && errno != EAGAIN) throw Stopped{};
            if (count > 0) text.append(part, size_t(count));
            if (text.size() > kQuestionBytes) throw Failure{"question", "the question is longer than 1 MiB"};
        }
    }

    // False where the client does not take it.
    bool send(const std::string & text) const { return send(text, patience_s_); }

    void refuse(const std::string & why) const { send("\xFF" + why + "\n", std::min(kRefuse, patience_s_)); }

    bool gone() const {
        pollfd state{socket_.file(), 0, 0};
        return poll(&state, 1, 0) > 0;  // nothing was asked for: an error, or both sides are shut
    }

  private:
    bool send(const std::string & text, double seconds) const {
        for (size_t done = 0; done < text.size();) {
            const ssize_t count = ::send(socket_.file(), text.data() + done, text.size() - done, 0);
            if (count > 0) done += size_t(count);
            if (count >= 0 || errno == EINTR) continue;
            if (errno != EAGAIN || wait_for(socket_.file(), POLLOUT, seconds) != Wait::kReady) return false;
        }
        return true;
    }

    Descriptor socket_;
    double patience_s_;
};

// Asked by what computes, often: whether there is still somebody to compute for.
struct Interest {
    const Client * client;
    double looked = 0;
    bool lost = false;

    static bool ended(void * data) {
        auto & self = *static_cast<Interest *>(data);
        if (leaving()) return true;
        const double now = now_s();
        if (!self.lost && now - self.looked >= kLookEvery) {
            self.looked = now;
            self.lost = self.client->gone();
        }
        return self.lost;
    }
};

void answer_one(Model & model, Answerer & answerer, const Client & client) {
    const double from = now_s();
    Interest interest{&client};
    bool whole = false;
    try {
        const Ids prompt = answerer.prompt_of(client.question());
        const double asked = now_s();
        model.until(Interest::ended, &interest);
        const Ended ended =
            answerer.answer(prompt, [&](const std::string & text) { return !leaving() && client.send(text); });
        say(R"({"event":"answered","from":%.6f,"asked":%.6f,"to":%.6f,"prompt":%zu,"tokens":%zu,"why":"%s"})", from,
            asked, now_s(), prompt.size(), ended.ids.size(), ended.why);
        whole = std::string(ended.why) != "gone";
    } catch (const Failure & failure) {
        client.refuse(harmless(failure.what));
        say(R"({"event":"refused","code":"%s","what":%s})", failure.code, quoted(failure.what).c_str());
        if (std::string(failure.code) != "question") say_error(failure.code, failure.what);
    } catch (const Stopped &) {
        say(R"({"event":"dropped","t":%.6f})", now_s());
    } catch (const std::exception & caught) {
        client.refuse("the server failed");
        say_error("internal", caught.what());
    }
    model.until(nullptr, nullptr);
    if (leaving() && !whole) client.refuse(kStopping);
}

void accept_until_asked(const Listening & listening, Model & model, Answerer & answerer, double patience_s) {
    while (!leaving()) {
        if (wait_for(listening.file(), POLLIN, 3600.0) != Wait::kReady) continue;
        const int file = accept(listening.file(), nullptr, nullptr);
        if (file >= 0) {
            answer_one(model, answerer, Client(file, patience_s));
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            poll(nullptr, 0, 100);
        } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
            throw Failure{"socket", std::string("no connection is accepted: ") + std::strerror(errno)};
        }
    }
}

// Without a word, an end would look like an empty answer.
void refuse_who_waits(const Listening & listening) {
    for (int file; (file = accept(listening.file(), nullptr, nullptr)) >= 0;)
        Client(file, kRefuse).refuse(kStopping);
}

}  // namespace

void serve(const Options & options) {
    const int passed = passed_socket();
    if (passed < 0 && options.socket.empty())
        throw Failure{"usage", "serve wants --socket, or a socket from systemd", kUsage};
    if (passed < 0) refuse_where_one_answers(options.socket);
    const std::unique_ptr<Model> model = load(options);
    Answerer answerer(*model, options);
    const std::shared_ptr<Listening> listening =
        passed >= 0 ? std::make_shared<Listening>(passed) : std::make_shared<Listening>(options.socket);
    struct Removal {
        const Listening & what;
        ~Removal() { what.remove(); }
    } const removal{*listening};
    leave_when_asked([listening] { listening->remove(); });
    say(R"({"event":"serving","t":%.6f})", now_s());
    notify("READY=1");
    accept_until_asked(*listening, *model, answerer, options.patience_s);
    notify("STOPPING=1");
    listening->remove();
    if (passed < 0) refuse_who_waits(*listening);  // at systemd's socket they wait for the next server
}

}  // namespace edgeshrink
