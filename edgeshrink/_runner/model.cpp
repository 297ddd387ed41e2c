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

std::unique_ptr<Model> load(const Options & options, bool all_logits = false) {
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
