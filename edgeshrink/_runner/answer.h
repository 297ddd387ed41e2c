// One question put to a loaded model.

#pragma once

#include "model.h"
#include "options.h"

#include <cstddef>
#include <functional>
#include <set>
#include <string>

namespace edgeshrink {

constexpr size_t kQuestionBytes = 1 << 20;

// An answer that ended. `why`: "stop" (a token that ends it), "tokens", "context" (full), "gone" (nobody takes it).
struct Ended {
    Ids ids;
    const char * why;
};

// What stands around each question, and how an answer is chosen. A question is plain text: what looks like a special
// token in it is none, so nobody can speak in another role.
class Answerer {
  public:
    // Failure where --before or --after cannot be read, or --stop-ids are no tokens.
    Answerer(Model & model, const Options & options);

    // The whole prompt. Failure `question` where it is empty, no UTF-8, or does not fit the context.
    Ids prompt_of(const std::string & question) const;

    // The answer's text in whole characters, as it comes, until `take` says false. Each time from an empty context, so
    // that it does not depend on what was asked before. Stopped where the model's `until` says so.
    Ended answer(const Ids & prompt, const std::function<bool(const std::string &)> & take);

  private:
    bool ends(llama_token id) const;

    Model & model_;
    const Options & options_;
    Ids before_, after_;
    std::set<llama_token> stops_;
    size_t longest_ = 4;  // bytes of the longest token's text
};

// --prompt, else stdin to its end, without the newline that ends it. Failure `question` where it is too long.
std::string question_of(const Options & options);

}  // namespace edgeshrink
