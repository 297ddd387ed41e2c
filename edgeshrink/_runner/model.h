// A loaded model.

#pragma once

#include "options.h"

#include "ggml-cpu.h"
#include "llama.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace edgeshrink {

using Ids = std::vector<llama_token>;

// Thrown by what computes once the callback of `until` has said so.
struct Stopped {};

class Model {
  public:
    Model(const Options & options, bool all_logits);

    // An empty context. `thoroughly`: what was in it is overwritten, too.
    void reset(bool thoroughly = false) { llama_memory_clear(llama_get_memory(context_.get()), thoroughly); }

    // Forget all but the first `count` positions. False where this kind of memory cannot.
    bool rewind(int count) { return llama_memory_seq_rm(llama_get_memory(context_.get()), 0, count, -1); }

    // Computes `count` ids.
    void feed(const llama_token * ids, int count);

    // The id chosen greedily after what was computed last.
    llama_token greedy();

    // Computes `count` ids; the id chosen greedily after them.
    llama_token prefill(const llama_token * ids, int count) {
        feed(ids, count);
        return greedy();
    }
    llama_token step(llama_token id) { return prefill(&id, 1); }

    // `tell(position, row)` for each of `ids`, from an empty context.
    void each_logits(const Ids & ids, const std::function<void(size_t, const float *)> & tell);

    // What computes on the CPU asks `ended(data)` now and then, and stops when it says so.
    void until(ggml_abort_callback ended, void * data) { llama_set_abort_callback(context_.get(), ended, data); }

    void require_room(int tokens) const;

    int context() const { return int(llama_n_ctx(context_.get())); }
    const llama_model * raw() const { return model_.get(); }
    llama_context * raw_context() { return context_.get(); }

    const llama_vocab * vocab = nullptr;
    int vocab_size = 0;

  private:
    void make_context(const Options & options);
    void make_pool(int threads);
    void compute(const llama_token * ids, int count, bool last);

    struct Free {
        void operator()(llama_model * model) const { llama_model_free(model); }
        void operator()(llama_context * context) const { llama_free(context); }
    };
    // In this order: the context goes first, then the pool that it computes with, then the model.
    std::unique_ptr<llama_model, Free> model_;
    std::unique_ptr<ggml_threadpool, decltype(ggml_threadpool_free) *> pool_{nullptr, nullptr};
    std::unique_ptr<llama_context, Free> context_;
    std::vector<int8_t> wanted_;
    int batch_ = 0;
    bool all_logits_ = false;
};

// Loads the model and says so.
std::unique_ptr<Model> load(const Options & options, bool all_logits = false);

}  // namespace edgeshrink
