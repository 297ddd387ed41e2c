// Prompts and steps, timed; speed while the device gets hot.

#include "clock.h"
#include "commands.h"
#include "events.h"
#include "model.h"
#include "prompt.h"
#include "sensors.h"
#include "text.h"
#include "usage.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace edgeshrink {

namespace {

constexpr int kWarmUpPrompt = 32;

class Bench {
  public:
    Bench(Model & model, const Options & options, const Ids & ids) : model_(model), options_(options), ids_(ids) {}

    void warm_up() {
        if (options_.warm_up == 0) return;
        const int steps = std::min(options_.warm_up, model_.context() - 1);
        llama_token id = fill(std::min(kWarmUpPrompt, model_.context() - steps));
        for (int i = 0; i < steps; i++) id = model_.step(id);
    }

    void prefill() {
        for (size_t at = 0; at < options_.prompts.size(); at++) {
            std::vector<double> ms;
            for (int i = 0; i < options_.repetitions; i++) ms.push_back(prefill_once(options_.prompts[at], i));
            const int missing = options_.first_repetitions - options_.repetitions;
            std::sort(ms.begin(), ms.end());
            if (at == 0 && missing > 0 && missing * ms[ms.size() / 2] <= 1e3 * options_.first_within_s)
                for (int i = options_.repetitions; i < options_.first_repetitions; i++)
                    prefill_once(options_.prompts[at], i);
        }
    }

    void decode() {
        std::vector<double> ms(size_t(options_.decode));
        for (const int depth : options_.depths) {
            for (int i = 0; i < options_.repetitions; i++) {
                llama_token id = fill(depth);
                tell_memory("decode");
                const Faults before = faults();
                const double from = now_s();
                double last = from;
                for (double & step_ms : ms) {
                    id = model_.step(id);
                    const double now = now_s();
                    step_ms = 1e3 * (now - last);
                    last = now;
                }
                const Faults after = faults();
                const std::string steps = list(ms, [](double one) { return real(one, "%.4f"); });
                say(R"({"event":"decode","depth":%d,"repetition":%d,"from":%.6f,"to":%.6f,"majflt":%lld,)"
                    R"("steps_ms":%s})",
                    depth, i, from, last, after.major - before.major, steps.c_str());
                tell_memory("decode");
            }
        }
    }

    // Decode on, at the first depth over and over, so that speed changes only when the device does.
    void sustain() {
        const int depth = options_.depths.empty() ? 0 : options_.depths.front();
        const double end = now_s() + options_.sustain_s;
        const llama_token first = fill(depth);
        double from = now_s();
        int tokens = 0;
        const auto tell = [&](double to) {
            if (tokens > 0) say(R"({"event":"sustained","from":%.6f,"to":%.6f,"tokens":%d})", from, to, tokens);
            tokens = 0;
            from = now_s();
        };
        for (double now = from; now < end;) {
            llama_token id = first;
            for (int i = 0; i < options_.decode && now < end; i++) {
                id = model_.step(id);
                now = now_s();
                tokens++;
                if (now - from >= 1.0) tell(now);
            }
            if (!model_.rewind(depth)) {
                tell(now);
                fill(depth);
                from = now_s();
            }
        }
        tell(now_s());
    }

  private:
    // The first `count` ids alone in the context; the id to go on with.
    llama_token fill(int count) {
        model_.reset();
        return count == 0 ? ids_[0] : model_.prefill(ids_.data(), count);
    }

    double prefill_once(int count, int repetition) {
        model_.reset();
        const Faults before = faults();
        const double from = now_s();
        model_.prefill(ids_.data(), count);
        const double to = now_s();
        const Faults after = faults();
        const double ms = 1e3 * (to - from);
        say(R"({"event":"prefill","tokens":%d,"repetition":%d,"from":%.6f,"to":%.6f,"ms":%.4f,"majflt":%lld})", count,
            repetition, from, to, ms, after.major - before.major);
        tell_memory("prefill");
        return ms;
    }

    Model & model_;
    const Options & options_;
    const Ids & ids_;
};

}  // namespace

void bench(const Options & options) {
    const Sampler sampler(options.samples, options.sample_ms);
    tell_memory("start");
    if (options.idle_s > 0) {
        const double from = now_s();
        std::this_thread::sleep_for(std::chrono::duration<double>(options.idle_s));
        say(R"({"event":"idle","from":%.6f,"to":%.6f})", from, now_s());
    }
    const std::unique_ptr<Model> model = load(options);
    tell_memory("loaded");
    int needed = kWarmUpPrompt;
    for (const int count : options.prompts) {
        model->require_room(count);
        needed = std::max(needed, count);
    }
    for (const int depth : options.depths) {
        model->require_room(depth + options.decode);
        needed = std::max(needed, depth);
    }
    if (options.sustain_s > 0) model->require_room(options.decode);
    const Ids ids = prompt(*model, options, needed);
    Bench run(*model, options, ids);
    run.warm_up();
    if (!options.prompts.empty() || !options.depths.empty()) {
        const CpuUse use;
        run.prefill();
        run.decode();
        use.tell();
    }
    if (options.sustain_s > 0) {
        const CpuUse use;
        run.sustain();
        use.tell();
        tell_memory("sustained");
    }
    tell_memory("end");
}

}  // namespace edgeshrink
