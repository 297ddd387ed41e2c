#include "prompt.h"

#include "events.h"
#include "failure.h"
#include "files.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

namespace edgeshrink {

namespace {

constexpr size_t kPromptShown = 4096;

}  // namespace

Ids tokens_of(const Model & model, const std::string & text, bool add_special, bool parse_special) {
    Ids ids(text.size() + 8);
    for (int attempt = 0; attempt < 2; attempt++) {
        const int count = llama_tokenize(model.vocab, text.data(), int32_t(text.size()), ids.data(),
                                         int32_t(ids.size()), add_special, parse_special);
        ids.resize(size_t(count < 0 ? -count : count));
        if (count >= 0) return ids;
    }
    throw Failure{"text", "llama.cpp cannot make tokens of the text"};
}

std::string list(const Ids & ids) {
    return list(ids, [](llama_token id) { return std::to_string(id); });
}

Ids prompt(const Model & model, const Options & options, int count) {
    Ids ids;
    if (!options.text.empty() && llama_vocab_type(model.vocab) != LLAMA_VOCAB_TYPE_NONE)
        ids = tokens_of(model, read_text(options.text, 12 * size_t(count)), true, false);
    const bool from_text = ids.size() > 1;
    const size_t once = ids.size();
    ids.reserve(size_t(count));
    for (size_t i = 1; from_text && ids.size() < size_t(count); i = i + 1 < once ? i + 1 : 1)
        ids.push_back(ids[i]);  // over and over, without the BOS
    uint64_t state = 20261121;
    if (!from_text) ids.clear();
    for (uint64_t draws = 0; ids.size() < size_t(count); draws++) {
        uint64_t z = state += 0x9E3779B97F4A7C15u;  // splitmix64
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        const auto id = llama_token((z ^ (z >> 31)) % uint64_t(model.vocab_size));
        if (draws > 1000 * uint64_t(count) || !llama_vocab_is_eog(model.vocab, id)) ids.push_back(id);
    }
    ids.resize(size_t(count));
    const Ids shown(ids.begin(), ids.begin() + long(std::min(ids.size(), kPromptShown)));
    say(R"({"event":"prompt","ids":%s,"origin":"%s"})", list(shown).c_str(),
        from_text ? "tokens of shipped text" : "random ids");
    return ids;
}

std::string text_of(const Model & model, const Ids & ids) {
    if (llama_vocab_type(model.vocab) == LLAMA_VOCAB_TYPE_NONE) return "";
    std::string text(16 * ids.size() + 16, 0);
    for (int attempt = 0; attempt < 2; attempt++) {
        const int size =
            llama_detokenize(model.vocab, ids.data(), int(ids.size()), &text[0], int(text.size()), false, true);
        text.resize(size_t(std::abs(size)));
        if (size >= 0) return text;
    }
    throw Failure{"text", "llama.cpp cannot write the tokens as text"};
}

}  // namespace edgeshrink
