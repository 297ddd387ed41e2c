#include "options.h"

#include "failure.h"
#include "text.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <map>
#include <set>

namespace edgeshrink {

namespace {

constexpr double kTokens = 1 << 24;

[[noreturn]] void refuse(const std::string & what) { throw Failure{"usage", what, kUsage}; }

// Options as given; what nobody asked for in the end is no option.
class Arguments {
  public:
    Arguments(int argc, char ** argv) {
        for (int i = 2; i < argc; i++) {
            const std::string name = argv[i];
            if (name == "--no-mmap" || name == "--hold-stdin" || name == "--verbose" || name == "--json")
                given_[name] = {""};
            else if (++i < argc)
                given_[name].push_back(argv[i]);
            else
                refuse(name + " wants a value");
        }
    }

    std::vector<std::string> all(const char * name) {
        known_.insert(name);
        const auto found = given_.find(name);
        return found == given_.end() ? std::vector<std::string>() : found->second;
    }
    bool flag(const char * name) { return !all(name).empty(); }
    std::string text(const char * name) { return flag(name) ? all(name).back() : ""; }
    double real(const char * name, double otherwise, double most) {
        return flag(name) ? number(name, text(name), 0, most) : otherwise;
    }
    int whole(const char * name, int otherwise, double least, double most) {
        return flag(name) ? whole_number(name, text(name), least, most) : otherwise;
    }
    std::vector<int> wholes(const char * name, double least) {
        std::vector<int> found;
        for (const std::string & part : split(text(name), ','))
            found.push_back(whole_number(name, part, least, kTokens));
        return found;
    }
    void refuse_others() const {
        for (const auto & one : given_)
            if (known_.count(one.first) == 0) refuse("there is no option " + one.first);
    }

  private:
    static double number(const std::string & name, const std::string & value, double least, double most) {
        char * end = nullptr;
        const double found = std::strtod(value.c_str(), &end);
        const bool digits = !value.empty() && value.find_first_not_of("-.0123456789") == std::string::npos;
        if (!digits || *end != 0 || !(found >= least && found <= most))
            refuse(name + " wants a number from " + edgeshrink::real(least, "%.0f") + " to " +
                   edgeshrink::real(most, "%.0f") + ", not '" + value + "'");
        return found;
    }
    static int whole_number(const std::string & name, const std::string & value, double least, double most) {
        const double found = number(name, value, least, most);
        if (found != std::floor(found)) refuse(name + " wants a whole number, not '" + value + "'");
        return int(found);
    }

    std::map<std::string, std::vector<std::string>> given_;
    std::set<std::string> known_;
};

}  // namespace

Options parse(int argc, char ** argv) {
    static const char * const kCommands[] = {"info",   "bench",     "loads",  "greedy", "logits",
                                              "bandwidth", "answer", "serve", "ask"};
    Options to;
    to.command = argc > 1 ? argv[1] : "";
    if (std::find(std::begin(kCommands), std::end(kCommands), to.command) == std::end(kCommands))
        refuse("edgeshrink-runner info | bench | loads | greedy | logits | bandwidth | answer | serve | ask");
    Arguments given(argc, argv);
    to.model = given.text("--model");
    to.text = given.text("--text");
    to.context = given.whole("--context", 0, 1, kTokens);
    to.threads = given.whole("--threads", 0, 1, 512);
    to.gpu_layers = given.whole("--gpu-layers", 0, -1, 100000);
    to.no_mmap = given.flag("--no-mmap");
    to.prompts = given.wholes("--prompts", 1);
    to.depths = given.wholes("--depths", 0);
    to.decode = given.whole("--decode", 128, 1, kTokens);
    to.repetitions = given.whole("--repetitions", 5, 1, 100000);
    to.first_repetitions = given.whole("--first-repetitions", 0, 0, 100000);
    to.first_within_s = given.real("--first-within-s", 0, 1e6);
    to.warm_up = given.whole("--warm-up", 8, 0, 100000);
    to.idle_s = given.real("--idle-s", 0, 1e6);
    to.sustain_s = given.real("--sustain-s", 0, 1e6);
    to.sample_ms = given.whole("--sample-ms", 50, 1, 60000);
    to.samples = given.all("--sample");
    to.count = given.whole("--count", 0, 1, kTokens);
    to.prompt_tokens = given.whole("--prompt-tokens", 0, 1, kTokens);
    to.megabytes = given.whole("--megabytes", 256, 1, 65536);
    to.deadline_s = given.real("--deadline-s", 0, 1e7);
    to.hold_stdin = given.flag("--hold-stdin");
    to.verbose = given.flag("--verbose");
    to.before = given.text("--before");
    to.after = given.text("--after");
    to.has_chat = given.flag("--before") || given.flag("--after");
    to.prompt = given.text("--prompt");
    to.has_prompt = given.flag("--prompt");
    to.socket = given.text("--socket");
    to.stop_ids = given.wholes("--stop-ids", 0);
    to.tokens = given.whole("--tokens", 256, 1, kTokens);
    to.temperature = given.real("--temperature", 0, 100);
    to.patience_s = given.real("--patience-s", 30, 1e6);
    to.seed = given.whole("--seed", 0, 0, 2147483647);
    to.json = given.flag("--json");
    given.refuse_others();
    const bool asks = to.command == "ask";
    const bool computes = to.command != "info" && to.command != "bandwidth" && !asks;
    const bool prompts = to.command == "greedy" || to.command == "logits";
    if (computes && (to.model.empty() || to.context == 0)) refuse(to.command + " wants --model and --context");
    if (to.command != "info" && !asks && to.threads == 0) refuse(to.command + " wants --threads");
    if (prompts && to.prompt_tokens == 0) refuse(to.command + " wants --prompt-tokens");
    if (to.command == "greedy" && to.count == 0) refuse("greedy wants --count");
    if (asks && to.socket.empty()) refuse("ask wants --socket");
    if (asks && to.json) refuse("ask has no events: leave out --json");
    if (to.hold_stdin && !to.has_prompt && (asks || to.command == "answer")) refuse("--hold-stdin wants --prompt");
    return to;
}

}  // namespace edgeshrink
