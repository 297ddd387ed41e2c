// What is computed, to be compared with another runtime.

#include "commands.h"
#include "events.h"
#include "model.h"
#include "prompt.h"
#include "text.h"

#include <memory>
#include <vector>

namespace edgeshrink {

void greedy(const Options & options) {
    const std::unique_ptr<Model> model = load(options);
    model->require_room(options.prompt_tokens + options.count - 1);
    const Ids ids = prompt(*model, options, options.prompt_tokens);
    Ids chosen{model->prefill(ids.data(), int(ids.size()))};
    while (int(chosen.size()) < options.count) chosen.push_back(model->step(chosen.back()));
    say(R"({"event":"greedy","prompt":%s,"ids":%s,"text":%s})", list(ids).c_str(), list(chosen).c_str(),
        quoted(text_of(*model, chosen)).c_str());
}

void logits(const Options & options) {
    const std::unique_ptr<Model> model = load(options, true);
    model->require_room(options.prompt_tokens);
    const Ids ids = prompt(*model, options, options.prompt_tokens);
    model->each_logits(ids, [&](size_t position, const float * row) {
        const std::vector<float> values(row, row + model->vocab_size);
        say(R"({"event":"logits","position":%zu,"values":%s})", position,
            list(values, [](float value) { return real(double(value), "%.9g"); }).c_str());
    });
}

}  // namespace edgeshrink
