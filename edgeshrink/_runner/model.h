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

class Model {
  public:
    Model(const Options & options, bool all_logits) {
        log_seen.forget();
        struct stat state{};
        if (stat(options.model.c_str(), &state) != 0 || !S_ISREG(state.st_mode))
            throw Failure{"model", options.model + ": there is no such file"};
        llama_model_params settings = llama_model_default_params();
        settings.n_gpu_layers = options.gpu_layers;
        settings.load_mode = options.no_mmap ? LLAMA_LOAD_MODE_NONE : LLAMA_LOAD_MODE_MMAP;
        model_.reset(llama_model_load_from_file(options.model.c_str(), settings));
        if (!model_) fail_with_log("model", "llama.cpp cannot load " + options.model);
        if (llama_model_has_encoder(model_.get()) || !llama_model_has_decoder(model_.get()))
            throw Failure{"model", options.model + ": not a decoder, this runner generates text only"};
        vocab = llama_model_get_vocab(model_.get());
        vocab_size = llama_vocab_n_tokens(vocab);
        batch_ = std::min(kBatch, options.context);
        if (all_logits) batch_ = std::max(1, std::min(batch_, int(kLogitBytes / sizeof(float) / size_t(vocab_size))));
        wanted_.assign(size_t(batch_), all_logits ? 1 : 0);
        all_logits_ = all_logits;
        make_context(options);
        make_pool(options.threads);
    }

    void reset() { llama_memory_clear(llama_get_memory(context_.get()), false); }

    // Forget all but the first `count` positions. False where this kind of memory cannot.
    bool rewind(int count) { return llama_memory_seq_rm(llama_get_memory(context_.get()), 0, count, -1); }

    // Computes `count` ids; the id chosen greedily after them.
    llama_token prefill(const llama_token * ids, int count) {
        for (int from = 0; from < count; from += batch_)
            compute(ids + from, std::min(batch_, count - from), from + batch_ >= count);
        return greatest(last_logits(), vocab_size);
    }

    llama_token step(llama_token id) {
        compute(&id, 1, true);
        return greatest(last_logits(), vocab_size);
    }

    // `tell(position, row)` for each of `ids`, from an empty context.
    template <class Tell>
    void each_logits(const Ids & ids, Tell tell) {
        reset();
        for (size_t from = 0; from < ids.size(); from += size_t(batch_)) {
            const int count = int(std::min(size_t(batch_), ids.size() - from));
            compute(ids.data() + from, count, true);
            for (int i = 0; i < count; i++) tell(from + size_t(i), llama_get_logits_ith(context_.get(), i));
        }
    }

    void require_room(int tokens) const {
        if (tokens > context()) {
            throw Failure{"context",
                          std::to_string(tokens) + " tokens do not fit a context of " + std::to_string(context())};
        }
    }

    int context() const { return int(llama_n_ctx(context_.get())); }
    const llama_model * raw() const { return model_.get(); }

    const llama_vocab * vocab = nullptr;
    int vocab_size = 0;

  private:
    void make_context(const Options & options) {
        llama_context_params settings = llama_context_default_params();
        settings.n_ctx = uint32_t(options.context);
        settings.n_batch = settings.n_ubatch = uint32_t(batch_);
        settings.n_outputs_max = all_logits_ ? 0 : 1;
        settings.n_threads = settings.n_threads_batch = options.threads;
        settings.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
        settings.offload_kqv = settings.op_offload = options.gpu_layers != 0;
        context_.reset(llama_init_from_model(model_.get(), settings));
        if (!context_) {
            fail_with_log("context",
                          "llama.cpp cannot make a context of " + std::to_string(options.context) + " tokens");
        }
    }

    // One pool for all steps: without it ggml may start its threads anew for every single one.
    void make_pool(int threads) {
        ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
        ggml_backend_reg_t backend = cpu == nullptr ? nullptr : ggml_backend_dev_backend_reg(cpu);
        if (backend == nullptr) return;
        const auto make = reinterpret_cast<decltype(ggml_threadpool_new) *>(
            ggml_backend_reg_get_proc_address(backend, "ggml_threadpool_new"));
        const auto end = reinterpret_cast<decltype(ggml_threadpool_free) *>(
            ggml_backend_reg_get_proc_address(backend, "ggml_threadpool_free"));
        if (make == nullptr || end == nullptr) return;
        ggml_threadpool_params settings = ggml_threadpool_params_default(threads);
        pool_ = {make(&settings), end};
        if (!pool_) throw Failure{"memory", "no pool of " + std::to_string(threads) + " threads"};
        llama_attach_threadpool(context_.get(), pool_.get(), nullptr);
    }

    void compute(const llama_token * ids, int count, bool last) {
        wanted_[size_t(count) - 1] = last || all_logits_;
        llama_batch batch{};
        batch.n_tokens = count;
        batch.token = const_cast<llama_token *>(ids);
        batch.logits = wanted_.data();
        const int code = llama_decode(context_.get(), batch);
        wanted_[size_t(count) - 1] = all_logits_;
        if (code != 0) {
            fail_with_log("compute", "llama.cpp could not compute " + std::to_string(count) + " tokens (code " +
                                         std::to_string(code) + ")");
        }
    }

    const float * last_logits() {
        const float * row = llama_get_logits_ith(context_.get(), -1);
        if (row == nullptr) fail_with_log("compute", "llama.cpp gave no logits");
        return row;
    }

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
std::unique_ptr<Model> load(const Options & options, bool all_logits = false) {

}  // namespace edgeshrink
