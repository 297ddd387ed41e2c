#include "answer.h"

#include "clock.h"
#include "commands.h"
#include "events.h"
#include "failure.h"
#include "files.h"
#include "output_text.h"
#include "prompt.h"
#include "text.h"
#include "words.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>

namespace edgeshrink {

namespace {

constexpr size_t kAffixBytes = 1 << 16;
constexpr float kTopP = 0.95f;

std::string affix(const std::string & path) {
    if (path.empty()) return "";
    const std::string text = read_text(path, kAffixBytes);
    if (text.size() + 4 > kAffixBytes) throw Failure{"text", path + ": longer than 64 KiB"};
    return text;
}

std::string piece(const llama_vocab * vocab, llama_token id) {
    std::string text(64, 0);
    for (int attempt = 0; attempt < 2; attempt++) {
        const int size = llama_token_to_piece(vocab, id, &text[0], int32_t(text.size()), 0, false);
        text.resize(size_t(size < 0 ? -size : size));
        if (size >= 0) return text;
    }
    throw Failure{"text", "llama.cpp cannot write token " + std::to_string(id) + " as text"};
}

// Chooses ids as `edgeshrink run` does: the most probable one, or from the nucleus of the tempered probabilities.
class Choice {
  public:
    Choice(Model & model, const Options & options) : model_(model) {
        if (options.temperature <= 0) return;
        chain_.reset(llama_sampler_chain_init(llama_sampler_chain_default_params()));
        llama_sampler_chain_add(chain_.get(), llama_sampler_init_temp(float(options.temperature)));
        llama_sampler_chain_add(chain_.get(), llama_sampler_init_top_p(kTopP, 1));
        llama_sampler_chain_add(chain_.get(), llama_sampler_init_dist(uint32_t(options.seed)));
    }

    llama_token next() {
        return chain_ ? llama_sampler_sample(chain_.get(), model_.raw_context(), -1) : model_.greedy();
    }

  private:
    struct Free {
        void operator()(llama_sampler * chain) const { llama_sampler_free(chain); }
    };
    Model & model_;
    std::unique_ptr<llama_sampler, Free> chain_;
};

}  // namespace

Answerer::Answerer(Model & model, const Options & options) : model_(model), options_(options) {
    if (llama_vocab_type(model.vocab) == LLAMA_VOCAB_TYPE_NONE)
        throw Failure{"model", options.model + " has no tokenizer: it cannot answer"};
    const std::string before = affix(options.before), after = affix(options.after);
    if (!before.empty()) before_ = tokens_of(model, before, false, true);
    if (!after.empty()) after_ = tokens_of(model, after, false, true);
    for (const int id : options.stop_ids) {
        if (id >= model.vocab_size)
            throw Failure{"model", "--stop-ids " + std::to_string(id) + ": the model has " +
                                       std::to_string(model.vocab_size) + " tokens"};
        stops_.insert(id);
    }
    // Other kinds leave out some of the text.
    const enum llama_vocab_type kind = llama_vocab_type(model.vocab);
    if (kind != LLAMA_VOCAB_TYPE_BPE && kind != LLAMA_VOCAB_TYPE_SPM) longest_ = kQuestionBytes;
    for (llama_token id = 0; id < model.vocab_size; id++) {
        const char * text = llama_vocab_get_text(model.vocab, id);
        if (text != nullptr) longest_ = std::max(longest_, std::strlen(text));
    }
}

Ids Answerer::prompt_of(const std::string & question) const {
    if (question.empty()) throw Failure{"question", "the question is empty"};
    if (!is_utf8(question)) throw Failure{"question", "the question is not UTF-8"};
    const auto room = size_t(model_.context());
    // No tokenizer has to read what cannot fit: some recurse once a character.
    if (question.size() / longest_ >= room)
        throw Failure{"question", "a question of " + std::to_string(question.size()) +
                                      " bytes does not fit a context of " + std::to_string(room) + " tokens"};
    Ids ids = before_;
    const Ids middle = tokens_of(model_, question, !options_.has_chat, false);
    ids.insert(ids.end(), middle.begin(), middle.end());
    ids.insert(ids.end(), after_.begin(), after_.end());
    if (ids.empty()) throw Failure{"question", "the question has no tokens"};
    if (ids.size() >= room)
        throw Failure{"question", "the question has " + std::to_string(ids.size()) +
                                      " tokens with what belongs around it and the context is " +
                                      std::to_string(room)};
    return ids;
}

bool Answerer::ends(llama_token id) const { return llama_vocab_is_eog(model_.vocab, id) || stops_.count(id) != 0; }

Ended Answerer::answer(const Ids & prompt, const std::function<bool(const std::string &)> & take) {
    Ended ended{{}, "tokens"};
    Choice choice(model_, options_);
    Words words;
    model_.reset(true);
    model_.feed(prompt.data(), int(prompt.size()));
    for (;;) {
        const llama_token id = choice.next();
        if (ends(id)) {
            ended.why = "stop";
            break;
        }
        ended.ids.push_back(id);
        const std::string text = words.add(piece(model_.vocab, id));
        if (!text.empty() && !take(text)) {
            ended.why = "gone";
            return ended;
        }
        if (int(ended.ids.size()) >= options_.tokens) break;
        if (int(prompt.size() + ended.ids.size()) > model_.context()) {
            ended.why = "context";
            break;
        }
        model_.feed(&id, 1);
    }
    const std::string rest = words.end();
    if (!rest.empty() && !take(rest)) ended.why = "gone";
    return ended;
}

std::string question_of(const Options & options) {
    std::string text = options.prompt;
    char part[65536];
    while (!options.has_prompt && text.size() <= kQuestionBytes + 2) {
        const ssize_t count = read(STDIN_FILENO, part, sizeof(part));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) throw Failure{"question", std::string("stdin cannot be read: ") + std::strerror(errno)};
        if (count == 0) break;
        text.append(part, size_t(count));
    }
    if (!options.has_prompt && !text.empty() && text.back() == '\n') {
        text.pop_back();
        if (!text.empty() && text.back() == '\r') text.pop_back();
    }
    if (text.size() > kQuestionBytes) throw Failure{"question", "the question is longer than 1 MiB"};
    return text;
}

void answer(const Options & options) {
    const std::string question = question_of(options);
    const std::unique_ptr<Model> model = load(options);
    Answerer answerer(*model, options);
    const Ids prompt = answerer.prompt_of(question);
    const TextOutput output;
    std::string whole;
    const double from = now_s();
    const Ended ended = answerer.answer(prompt, [&](const std::string & text) {
        if (options.json) {
            say(R"({"event":"piece","text":%s})", quoted(text).c_str());
            whole += text;
        } else {
            output.write(text);
        }
        return true;
    });
    if (!options.json) output.end();
    say(R"({"event":"answer","prompt":%s,"ids":%s,"text":%s,"why":"%s","from":%.6f,"to":%.6f})", list(prompt).c_str(),
        list(ended.ids).c_str(), quoted(whole).c_str(), ended.why, from, now_s());
}

}  // namespace edgeshrink
