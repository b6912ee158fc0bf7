// The operations measure_latency, a flow of models stepped frame by frame, and measure_blocks, one model run in blocks:
// each call is timed by two clocks, and the outputs of the timed calls are handed back to be checked.
#include <algorithm>
#include <future>

#include "flow.h"
#include "machine.h"
#include "resident.h"
#include "session.h"

namespace rtc::host {
namespace {

constexpr std::uint64_t longest_control_ns = 100'000'000;
constexpr std::uint64_t largest_cache_bytes = std::uint64_t{1} << 30;
constexpr std::size_t line_words = 64 / sizeof(std::uint64_t);  // of a cache line
constexpr std::size_t most_wake_ups = 600'000;  // ten minutes
// A step that is quicker can't have lost much; reading the stolen time costs as much as a small model.
constexpr std::int64_t slow_ns = 1'000'000;

struct Samples {
    explicit Samples(std::size_t steps) {
        for (auto* times : {&wall, &cpu, &preemptions, &waits, &stolen, &null, &control}) times->reserve(steps);
    }
    std::vector<std::int64_t> wall, cpu, preemptions, waits, stolen, null, control;
    bool real_time = false;
};

// The wall clock, which costs less to read, is read inside the others.
template <typename Step>
void time_step(Samples& samples, const Step& step) {
    const auto before = Switches::now();
    const auto cpu = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
    const auto wall = nanoseconds(CLOCK_MONOTONIC);
    step();
    samples.wall.push_back(nanoseconds(CLOCK_MONOTONIC) - wall);
    samples.cpu.push_back(nanoseconds(CLOCK_THREAD_CPUTIME_ID) - cpu);
    const auto after = Switches::now();
    samples.preemptions.push_back(after.involuntary - before.involuntary);
    samples.waits.push_back(after.voluntary - before.voluntary);
}

// Stands in for a model: what gathering, calling and the clocks cost by themselves.
__attribute__((noinline)) void null_process(const float* in, float* out) {
    __asm__ volatile("" : : "r"(in), "r"(out) : "memory");
}

// A step of models that do nothing, drawn out to the length of a real one: if it is late, the machine was.
void time_null_step(Samples& samples, Flow& flow, const float* frame, std::int64_t length_ns) {
    const auto begin = nanoseconds(CLOCK_MONOTONIC);
    for (Stage& stage : flow) {
        gather(stage, frame);
        null_process(stage.in.data(), stage.out.data());
    }
    auto now = nanoseconds(CLOCK_MONOTONIC);
    samples.null.push_back(now - begin);
    while (now - begin < length_ns) now = nanoseconds(CLOCK_MONOTONIC);
    samples.control.push_back(now - begin);
}

// What happens in a host between two calls: other models run, and their data takes the place of ours in the caches.
class Interlude {
public:
    // `memory` is kept from one request to the next, and never made smaller, since filling it takes as long as many
    // steps.
    Interlude(std::vector<Model*> others, std::vector<std::uint64_t>& memory, std::size_t bytes)
        : memory_(memory), words_(bytes / sizeof(std::uint64_t)) {
        if (memory_.size() < words_) memory_.resize(words_, 1);
        for (Model* other : others) {
            std::vector<float> in(other->input_size()), out(other->output_size());
            for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<float>(i % 7) / 8.0f - 0.4f;
            others_.push_back({other, std::move(in), std::move(out)});
        }
    }

    void pass() {
        for (Other& other : others_) other.model->process(other.in.data(), other.out.data(), 1);
        std::uint64_t sum = 0;
        for (std::size_t at = 0; at < words_; at += line_words) sum += memory_[at];
        sum_ = sum;
    }

private:
    struct Other {
        Model* model;
        std::vector<float> in, out;
    };
    std::vector<Other> others_;
    std::vector<std::uint64_t>& memory_;
    std::size_t words_;  // that are read of it
    volatile std::uint64_t sum_ = 0;  // or the compiler sees that nobody wants what is read
};

// With `is_reset`, as a host does when playback jumps: reset is called on the audio thread too.
void run_step(Flow& flow, const float* frame, bool is_reset) {
    if (is_reset)
        for (Stage& stage : flow) stage.model->reset();
    for (Stage& stage : flow) {
        gather(stage, frame);
        stage.model->process(stage.in.data(), stage.out.data(), 1);
    }
}

void keep_outputs(Flow& flow, std::size_t frame) {
    for (Stage& stage : flow)
        std::copy(stage.out.begin(), stage.out.end(),
                  stage.outputs.values.begin() + static_cast<std::ptrdiff_t>(frame * stage.out.size()));
}

// The first `warmup` frames are run and not timed; control_ns is the length of the steps of nothing.
struct Timing {
    std::size_t warmup, reset_every;
    std::int64_t control_ns;
};

Samples time_steps(Flow& flow, const Array& audio, Interlude& interlude, const Timing& timing) {
    Samples samples(audio.frames);
    StolenTime stolen;
    const RealTime real_time(audio_priority);
    samples.real_time = real_time.granted();
    for (std::size_t frame = 0; frame < audio.frames; ++frame) {
        const bool is_reset = timing.reset_every != 0 && frame % timing.reset_every == 0;
        interlude.pass();
        const auto step = [&flow, is_reset, row = audio.row(frame)] { run_step(flow, row, is_reset); };
        if (frame < timing.warmup) {
            step();
            keep_outputs(flow, frame);
            continue;
        }
        time_step(samples, step);
        samples.stolen.push_back(samples.wall.back() > slow_ns ? stolen.since_last() : 0);
        keep_outputs(flow, frame);
        time_null_step(samples, flow, audio.row(frame), timing.control_ns);
    }
    return samples;
}

// The models that run between two steps.
std::vector<Model*> read_others(const Json& request, const std::string& where, const Flow& flow,
                                const std::function<Model&(std::uint64_t id)>& model_by_id) {
    const Json& ids = field(request, where, "others");
    const auto is_id = [](const Json& id) { return id.is_number_unsigned() && id.get<std::uint64_t>() <= max_id; };
    if (!ids.is_array() || !std::all_of(ids.begin(), ids.end(), is_id))
        throw BadRequest("Field \"others\" of " + where + ": expected a list of ids of models.");
    std::vector<Model*> others;
    for (const Json& id : ids) {
        Model& other = model_by_id(id.get<std::uint64_t>());
        const auto is_same = [&](const Stage& stage) { return stage.model == &other; };
        if (std::any_of(flow.begin(), flow.end(), is_same))
            throw BadRequest("Model " + id.dump() + " stands in \"flow\" and in \"others\" of " + where + ".");
        if (other.max_frames() == 0)
            throw BadRequest("Model " + id.dump() + " of \"others\" of " + where + " isn't prepared.");
        others.push_back(&other);
    }
    return others;
}

}  // namespace

Json Session::measure_latency(const Json& request) {
    const std::string where = "the request \"measure_latency\"";
    const Array audio = array_field(request, where, "audio");
    if (audio.frames == 0) throw BadRequest("Field \"audio\" of " + where + ": expected at least 1 frame, found 0.");
    const std::size_t warmup = integer_field(request, where, "warmup", 0, audio.frames - 1);
    const std::size_t reset_every = integer_field(request, where, "reset_every", 0, max_id);
    const std::size_t control_ns = integer_field(request, where, "control_ns", 0, longest_control_ns);
    const std::size_t cache_bytes = integer_field(request, where, "cache_bytes", 0, largest_cache_bytes);
    const auto by_id = [this](std::uint64_t id) -> Model& { return model_by_id(id); };
    Flow flow = read_flow(request, where, audio, by_id);
    const bool recalls = bool_field(request, where, "recall_resident");
    Interlude interlude(read_others(request, where, flow, by_id), other_memory_, cache_bytes);
    const Timing timing{warmup, reset_every, static_cast<std::int64_t>(control_ns)};

    if (recalls) recall_resident();
    WakeUps wake_ups(control_ns == 0 ? 0 : most_wake_ups);
    // Not on the thread that loads: a host's audio thread is another one.
    const auto run = [&] { return time_steps(flow, audio, interlude, timing); };
    const Samples samples = std::async(std::launch::async, run).get();
    Json outputs = Json::object();
    for (const Stage& stage : flow)
        outputs[stage.name] = array_to_json(stage.outputs.values.data(), stage.outputs.frames, stage.outputs.channels);
    return {{"wall_ns", samples.wall},
            {"cpu_ns", samples.cpu},
            {"preemptions", samples.preemptions},
            {"waits", samples.waits},
            {"stolen_ns", samples.stolen},
            {"null_ns", samples.null},
            {"control_ns", samples.control},
            {"wake_ns", wake_ups.take()},
            {"priority", samples.real_time ? "real-time" : "ordinary"},
            {"outputs", outputs}};
}

Json Session::measure_blocks(const Json& request) {
    const std::string where = "the request \"measure_blocks\"";
    Model& model = this->model(request, where);
    const Array frames = frames_for(model, request, where);
    const std::size_t block = integer_field(request, where, "block", 1, model.max_frames());
    std::vector<float> outputs(frames.frames * model.output_size());
    Samples samples(frames.frames / block + 1);
    for (std::size_t frame = 0; frame < frames.frames; frame += block) {
        const auto count = static_cast<std::uint32_t>(std::min(block, frames.frames - frame));
        time_step(samples, [&, to = outputs.data() + frame * model.output_size()] {
            model.process(frames.row(frame), to, count);
        });
    }
    return {{"wall_ns", samples.wall},
            {"cpu_ns", samples.cpu},
            {"waits", samples.waits},
            {"outputs", array_to_json(outputs.data(), frames.frames, model.output_size())}};
}

}  // namespace rtc::host
