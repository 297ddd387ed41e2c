#include "model.h"

#include "clock.h"
#include "events.h"
#include "failure.h"
#include "llama_log.h"
#include "text.h"

#include "ggml-backend.h"

#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

namespace edgeshrink {

namespace {

constexpr int kBatch = 512;  // llama.cpp's own default of tokens computed at once
constexpr size_t kLogitBytes = 64u << 20;
constexpr int kAborted = 2;  // of llama_decode

// The first of the greatest values, as numpy's argmax; in lanes, so that compilers use vector registers.
llama_token greatest(const float * values, int count) {
    constexpr int kLanes = 16;
    float lanes[kLanes];
    std::fill(lanes, lanes + kLanes, -INFINITY);
    int i = 0;
    for (; i + kLanes <= count; i += kLanes)
        for (int k = 0; k < kLanes; k++) lanes[k] = values[i + k] > lanes[k] ? values[i + k] : lanes[k];
    float best = *std::max_element(lanes, lanes + kLanes);
    for (; i < count; i++) best = values[i] > best ? values[i] : best;
    const float * found = std::find(values, values + count, best);
    if (found == values + count || !std::isfinite(best)) throw Failure{"compute", "the logits are not finite numbers"};
    return llama_token(found - values);
}

// What really computes: "CUDA0+CPU" with layers offloaded, "CPU" without, "+BLAS" and the like where they are built in.
std::string backend() {
    std::vector<std::string> names;
    if (log_seen.gpu_layers > 0) names = log_seen.used;
    names.push_back("CPU");
    for (size_t i = 0; i < ggml_backend_dev_count(); i++) {
        ggml_backend_dev_t device = ggml_backend_dev_get(i);
        if (ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_ACCEL)
            names.push_back(ggml_backend_dev_name(device));
    }
    std::string all;
    for (const std::string & name : names) all += (all.empty() ? "" : "+") + name;
    return all;
}

}  // namespace

Model::Model(const Options & options, bool all_logits) {
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

void Model::feed(const llama_token * ids, int count) {
    for (int from = 0; from < count; from += batch_)
        compute(ids + from, std::min(batch_, count - from), from + batch_ >= count);
}

llama_token Model::greedy() {
    const float * row = llama_get_logits_ith(context_.get(), -1);
    if (row == nullptr) fail_with_log("compute", "llama.cpp gave no logits");
    return greatest(row, vocab_size);
}

void Model::each_logits(const Ids & ids, const std::function<void(size_t, const float *)> & tell) {
    reset();
    for (size_t from = 0; from < ids.size(); from += size_t(batch_)) {
        const int count = int(std::min(size_t(batch_), ids.size() - from));
        compute(ids.data() + from, count, true);
        for (int i = 0; i < count; i++) tell(from + size_t(i), llama_get_logits_ith(context_.get(), i));
    }
}

void Model::require_room(int tokens) const {
    if (tokens > context()) {
        throw Failure{"context",
                      std::to_string(tokens) + " tokens do not fit a context of " + std::to_string(context())};
    }
}

void Model::make_context(const Options & options) {
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
void Model::make_pool(int threads) {
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

void Model::compute(const llama_token * ids, int count, bool last) {
    wanted_[size_t(count) - 1] = last || all_logits_;
    llama_batch batch{};
    batch.n_tokens = count;
    batch.token = const_cast<llama_token *>(ids);
    batch.logits = wanted_.data();
    const int code = llama_decode(context_.get(), batch);
    wanted_[size_t(count) - 1] = all_logits_;
    if (code == kAborted) throw Stopped{};
    if (code != 0) {
        fail_with_log("compute", "llama.cpp could not compute " + std::to_string(count) + " tokens (code " +
                                     std::to_string(code) + ")");
    }
}

std::unique_ptr<Model> load(const Options & options, bool all_logits) {
    const double began = now_s();
    std::unique_ptr<Model> model = std::make_unique<Model>(options, all_logits);
    const double ms = 1e3 * (now_s() - began);
    std::vector<std::string> devices;
    for (size_t i = 0; i < ggml_backend_dev_count(); i++) {
        ggml_backend_dev_t device = ggml_backend_dev_get(i);
        devices.push_back(std::string(ggml_backend_dev_name(device)) + ": " + ggml_backend_dev_description(device));
    }
    const std::string mapped = list(log_seen.buffers, [](const std::pair<std::string, double> & one) {
        return quoted(one.first) + ":" + real(one.second, "%.0f");
    });
    say(R"({"event":"loaded","ms":%.3f,"model_bytes":%llu,"parameters":%llu,"context":%d,"vocab":%d,"backend":%s,)"
        R"("devices":%s,"gpu_layers":%d,"threads":%d,"mapped":%s,"buffers":{%s}})",
        ms, (unsigned long long)llama_model_size(model->raw()), (unsigned long long)llama_model_n_params(model->raw()),
        model->context(), model->vocab_size, quoted(backend()).c_str(), list(devices, quoted).c_str(),
        log_seen.gpu_layers, options.threads, options.no_mmap || !llama_supports_mmap() ? "false" : "true",
        mapped.substr(1, mapped.size() - 2).c_str());
    return model;
}

}  // namespace edgeshrink
