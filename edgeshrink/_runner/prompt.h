// Ids to compute, and their text.

#pragma once

#include "model.h"
#include "options.h"
#include "text.h"

#include <string>

namespace edgeshrink {

std::string list(const Ids & ids);

// `count` ids to compute, said as an event: real text where the file has a tokenizer, since kernels see real ids.
Ids prompt(const Model & model, const Options & options, int count);

// The tokens of `text`, with what the tokenizer adds by default, or none of it; what looks like a special token is one,
// or plain text.
Ids tokens_of(const Model & model, const std::string & text, bool add_special, bool parse_special);

std::string text_of(const Model & model, const Ids & ids);

}  // namespace edgeshrink
