// The operation measure_latency: a flow of models stepped frame by frame, each step timed by two clocks, with the
// outputs of the timed steps checked against the first cycle's.
#include <cstring>
#include <ctime>
#include <deque>
#include <set>

#include "session.h"

namespace rtc::host {
namespace {

constexpr std::uint64_t max_steps = 10'000'000;
constexpr std::size_t max_null_steps = 10'000;

// Part of a model's input frame: floats [begin, end) of the audio frame, or of an earlier model's outputs.
struct Slice {
    const float* outputs;  // nullptr: the audio frame
    std::size_t begin, count;
};

struct Stage {
    std::string name;
    Model* model;
    std::vector<Slice> slices;
    std::vector<float> in, out;
    Array first, latest;  // outputs of the first cycle and the latest ones, [N, out]
};

// A step without models: what the gathering, the call and the clocks cost by themselves.
__attribute__((noinline)) void null_process(const float* in, float* out) {
    __asm__ volatile("" : : "r"(in), "r"(out) : "memory");
}

void gather(Stage& stage, const float* audio) {
    float* to = stage.in.data();
    for (const Slice& slice : stage.slices) {
        std::memcpy(to, (slice.outputs != nullptr ? slice.outputs : audio) + slice.begin, slice.count * sizeof(float));
        to += slice.count;
    }
}

std::int64_t nanoseconds(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

struct Times {
    std::vector<std::int64_t> wall, cpu;
};

// The wall clock, which costs less to read, is read inside the CPU clock.
template <typename Step>
void time_step(Times& times, Step&& step) {
    const auto cpu = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
    const auto wall = nanoseconds(CLOCK_MONOTONIC);
    step();
    times.wall.push_back(nanoseconds(CLOCK_MONOTONIC) - wall);
    times.cpu.push_back(nanoseconds(CLOCK_THREAD_CPUTIME_ID) - cpu);
}

class Flow {
public:
    Flow(std::deque<Stage> stages, Array audio) : stages_(std::move(stages)), audio_(std::move(audio)) {
        for (Stage& stage : stages_) {
            stage.in.resize(stage.model->input_size());
            stage.out.resize(stage.model->output_size());
            stage.first = {audio_.frames, stage.out.size(), std::vector<float>(audio_.frames * stage.out.size())};
            stage.latest = stage.first;
        }
    }

    Times time_null(std::size_t steps) {
        Times times;
        times.wall.reserve(steps);
        times.cpu.reserve(steps);
        for (std::size_t i = 0; i < steps; ++i)
            time_step(times, [&, audio = audio_.row(i % audio_.frames)] {
                for (Stage& stage : stages_) {
                    gather(stage, audio);
                    null_process(stage.in.data(), stage.out.data());
                }
            });
        return times;
    }

    // Times of the last `steps` of warmup + steps steps. All of them are checked.
    Times time(std::size_t warmup, std::size_t steps) {
        Times times;
        times.wall.reserve(warmup + steps);
        times.cpu.reserve(warmup + steps);
        for (std::size_t i = 0; i < warmup + steps; ++i) {
            const std::size_t frame = i % audio_.frames;
            if (frame == 0)
                for (Stage& stage : stages_) stage.model->reset();
            time_step(times, [&, audio = audio_.row(frame)] {
                for (Stage& stage : stages_) {
                    gather(stage, audio);
                    stage.model->process(stage.in.data(), stage.out.data(), 1);
                }
            });
            keep_and_compare(frame, i < audio_.frames);
        }
        for (auto* kept : {&times.wall, &times.cpu})
            kept->erase(kept->begin(), kept->begin() + static_cast<std::ptrdiff_t>(warmup));
        return times;
    }

    const std::deque<Stage>& stages() const { return stages_; }
    std::uint64_t mismatches() const { return mismatches_; }

private:
    void keep_and_compare(std::size_t frame, bool first_cycle) {
        for (Stage& stage : stages_) {
            const std::size_t offset = frame * stage.out.size(), bytes = stage.out.size() * sizeof(float);
            std::memcpy(stage.latest.values.data() + offset, stage.out.data(), bytes);
            float* first = stage.first.values.data() + offset;
            if (first_cycle) std::memcpy(first, stage.out.data(), bytes);
            else if (std::memcmp(first, stage.out.data(), bytes) != 0) ++mismatches_;
        }
    }

    std::deque<Stage> stages_;
    Array audio_;
    std::uint64_t mismatches_ = 0;
};

}  // namespace

Json Session::measure_latency(const Json& request) {
    const std::string where = "the request \"measure_latency\"";
    const Json& models = object_field(request, where, "models");
    Array audio = array_field(request, where, "audio");
    const std::size_t steps = integer_field(request, where, "steps", 1, max_steps);
    const std::size_t warmup = integer_field(request, where, "warmup", 0, max_steps);
    if (audio.frames == 0 || steps + warmup < audio.frames)
        throw BadRequest("Field \"audio\" of " + where + ": expected 1 to steps + warmup = " +
                         std::to_string(steps + warmup) + " frames, found " + std::to_string(audio.frames) + ".");

    std::deque<Stage> stages;  // a deque keeps stages where they are, for the slices that point to their outputs
    std::set<const Model*> used;
    for (const Json& step : list_field(request, where, "flow")) {
        const std::string here = "flow[" + std::to_string(stages.size()) + "] of " + where;
        if (!step.is_object()) throw BadRequest("Each entry of flow must be an object: " + here + " isn't.");
        only_fields(step, here, {"model", "inputs"});
        const std::string name = string_field(step, here, "model");
        Model& model = model_by_id(integer_field(models, "\"models\"", name.c_str(), 0, ~std::uint64_t{0} >> 1));
        if (model.max_frames() == 0) throw BadRequest("Model \"" + name + "\" isn't prepared.");
        if (!used.insert(&model).second) throw BadRequest("A model appears twice in flow: \"" + name + "\".");
        std::vector<Slice> slices;
        std::size_t floats = 0;
        for (const Json& input : list_field(step, here, "inputs")) {
            const std::string there = "inputs[" + std::to_string(slices.size()) + "] of " + here;
            if (!input.is_object()) throw BadRequest("Each input must be an object: " + there + " isn't.");
            only_fields(input, there, {"from", "begin", "end"});
            const std::string from = string_field(input, there, "from");
            const auto source =
                std::find_if(stages.begin(), stages.end(), [&](const Stage& stage) { return stage.name == from; });
            if (from != "audio" && source == stages.end())
                throw BadRequest("Field \"from\" of " + there + ": expected \"audio\" or a model earlier in flow, " +
                                 "found \"" + from + "\".");
            const std::size_t width = source == stages.end() ? audio.channels : source->model->output_size();
            const std::size_t end = integer_field(input, there, "end", 1, width);
            const std::size_t begin = integer_field(input, there, "begin", 0, end - 1);
            slices.push_back({source == stages.end() ? nullptr : source->out.data(), begin, end - begin});
            floats += end - begin;
        }
        if (floats != model.input_size())
            throw BadRequest("The inputs of " + here + " make " + std::to_string(floats) + " floats; model \"" + name +
                             "\" takes " + std::to_string(model.input_size()) + ".");
        stages.push_back({name, &model, std::move(slices), {}, std::vector<float>(model.output_size()), {}, {}});
    }

    Flow flow(std::move(stages), std::move(audio));
    const Times null_times = flow.time_null(std::min(steps, max_null_steps));
    const Times times = flow.time(warmup, steps);
    Json outputs = Json::object();
    for (const Stage& stage : flow.stages())
        outputs[stage.name] =
            array_to_json(stage.latest.values.data(), stage.latest.frames, stage.latest.channels);
    return {{"wall_ns", times.wall},
            {"cpu_ns", times.cpu},
            {"null_ns", null_times.wall},
            {"outputs", outputs},
            {"mismatches", flow.mismatches()}};
}

}  // namespace rtc::host
