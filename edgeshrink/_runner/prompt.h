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

std::string text_of(const Model & model, const Ids & ids);

}  // namespace edgeshrink
