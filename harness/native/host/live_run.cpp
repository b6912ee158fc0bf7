// The operation run_live: frames from an audio thread, and reloads from this one meanwhile.
#include <thread>

#include "../probe/ledger.h"
#include "audio_thread.h"
#include "machine.h"
#include "offences.h"
#include "pipeline_session.h"
#include "reloads.h"
#include "resident.h"

namespace rtc::host {
namespace {

namespace ledger = probe::ledger;

constexpr std::uint64_t most_frames = 1'000'000;
constexpr std::uint64_t longest_ns = 60'000'000'000;
constexpr auto look_every = std::chrono::microseconds(500);

AudioPlan read_plan(const Json& request, const std::string& where, const Pipeline& pipeline) {
    const auto time = [&](const char* name, std::uint64_t least) {
        return static_cast<std::int64_t>(integer_field(request, where, name, least, longest_ns));
    };
    AudioPlan plan{frames_field(request, where, pipeline),
                   integer_field(request, where, "first_id", 0, max_id - most_frames),
                   integer_field(request, where, "count", 1, most_frames),
                   integer_field(request, where, "least_count", 1, most_frames),
                   time("period_ns", 0),
                   integer_field(request, where, "most_pending", 0, max_id),
                   time("poll_every_ns", 1),
                   bool_field(request, where, "watch"),
                   string_field(request, where, "outputs") == "all"};
    if (plan.frames.frames == 0)
        throw BadRequest("Field \"frames\" of " + where + ": expected at least 1 frame, found 0.");
    if (!plan.keep_outputs && request["outputs"] != "digests")
        throw BadRequest("Field \"outputs\" of " + where + ": expected \"all\" or \"digests\".");
    return plan;
}

// One action after the other, over and over until the audio thread has ended, at least `every_ns` from one to the next.
// It may end when there were `least` of them.
Json reload_meanwhile(AudioThread& audio, Pipeline& pipeline, const std::vector<Action>& actions, std::int64_t every_ns,
                      std::uint64_t least) {
    Json done = Json::array();
    std::int64_t due = audio.started_at() + every_ns;
    while (!audio.has_ended()) {
        if (done.size() >= least || actions.empty()) audio.stop_soon();
        if (actions.empty() || nanoseconds(CLOCK_MONOTONIC) < due) {
            std::this_thread::sleep_for(look_every);
            continue;
        }
        const std::size_t number = done.size() % actions.size();
        done.push_back(carry_out(actions[number], pipeline, audio.started_at()));
        done.back()["action"] = number;
        due = nanoseconds(CLOCK_MONOTONIC) + every_ns;
    }
    return done;
}

Json record_to_json(const AudioRecord& record, const Pipeline& pipeline, bool has_outputs) {
    const std::size_t models = pipeline.places().size();
    Json reply = {{"submit_at_ns", integers_to_json(record.submit_at)},
                  {"submit_wall_ns", integers_to_json(record.submit_wall)},
                  {"submit_cpu_ns", integers_to_json(record.submit_cpu)},
                  {"submit_waits", integers_to_json(record.submit_waits)},
                  {"accepted", integers_to_json(record.accepted)},
                  {"ids", integers_to_json(record.ids)},
                  {"result_at_ns", integers_to_json(record.result_at)},
                  {"poll_cpu_ns", integers_to_json(record.poll_cpu)},
                  {"polls", record.polls},
                  {"poll_waits", record.poll_waits},
                  {"poll_wall_max_ns", record.poll_wall_max},
                  {"fallback", integers_to_json(record.fallback, models)},
                  {"version", integers_to_json(record.version, models)},
                  {"priority", record.real_time ? "real-time" : "ordinary"},
                  {"unseen", record.unseen},
                  {"system_call_trap", record.system_call_trap}};
    if (has_outputs)
        reply["outputs"] = array_to_json(record.outputs.data(), record.ids.size(), pipeline.outputs());
    else reply["digests"] = integers_to_json(record.digests, models);
    return reply;
}

}  // namespace

Json PipelineSession::run_live(const Json& request) {
    const std::string where = place(request);
    Pipeline& pipeline = this->pipeline(request);
    AudioPlan plan = read_plan(request, where, pipeline);
    const bool watch = plan.watch, has_outputs = plan.keep_outputs;
    const auto actions = actions_field(request, where, pipeline);
    const std::uint64_t every_ns = integer_field(request, where, "action_every_ns", 0, longest_ns);
    const std::uint64_t least = integer_field(request, where, "least_actions", 0, max_id);

    AudioThread audio(pipeline, std::move(plan));
    ledger::restart_peak();
    const std::int64_t held_before = ledger::usage().total();
    audio.start();
    Json reloads = reload_meanwhile(audio, pipeline, actions, static_cast<std::int64_t>(every_ns), least);
    const AudioRecord& record = audio.take();
    const Json memory = {{"before_bytes", held_before},
                         {"peak_bytes", ledger::peak()},
                         {"after_bytes", ledger::usage().total()},
                         {"rss_bytes", resident_bytes()}};
    Json reply = record_to_json(record, pipeline, has_outputs);
    reply["reloads"] = std::move(reloads);
    reply["memory"] = memory;
    reply["counters"] = counters_to_json(pipeline);
    reply["offences"] = watch ? offences_to_json() : Json::array();
    return reply;
}

}  // namespace rtc::host
