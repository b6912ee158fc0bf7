#include "pipeline_session.h"

#include <algorithm>

#include "guarded_buffer.h"

namespace rtc::host {
namespace {

constexpr std::uint64_t most_results = 1 << 16;  // of one poll

}  // namespace

PipelineSession::PipelineSession(const std::string& library, const std::string& pipeline)
    : Conversation(operations(), "close") {
    open(library, [&](const Library& opened) { api_ = &opened.pipeline(pipeline); });
}

std::vector<Conversation::Operation> PipelineSession::operations() {
    const auto by = [this](Json (PipelineSession::*perform)(const Json&)) {
        return [this, perform](const Json& request) { return (this->*perform)(request); };
    };
    return {
        {"open", by(&PipelineSession::open_folder), {"dir"}},
        {"submit", by(&PipelineSession::submit), {"pipeline", "first_id", "frames"}},
        {"poll", by(&PipelineSession::poll), {"pipeline", "most"}},
        {"reload", by(&PipelineSession::reload), {"pipeline", "model"}},
        {"status", by(&PipelineSession::status), {"pipeline"}},
        {"counters", by(&PipelineSession::counters), {"pipeline"}},
        {"close", by(&PipelineSession::close), {"pipeline"}},
        {"run_live",
         by(&PipelineSession::run_live),
         {"pipeline", "first_id", "frames", "count", "least_count", "period_ns", "most_pending", "poll_every_ns", "watch", "outputs",
          "actions", "action_every_ns", "least_actions"}},
        {"measure_pipeline_memory", by(&PipelineSession::measure_pipeline_memory), {"dir", "frames", "cycles"}},
    };
}

Json PipelineSession::implementation() const {
    Json described = {{"name", api_->name},
                      {"version", api_->version},
                      {"role", "pipeline"},
                      {"numeric_class", api_->numeric_class},
                      {"features", {"measure"}}};
    if (const rtc_build_info* info = build_info(*api_)) described["build"] = build_to_json(*info);
    return described;
}

Json PipelineSession::open_folder(const Json& request) {
    auto opened = std::make_unique<Pipeline>(*api_, string_field(request, place(request), "dir"));
    Json models = Json::array();
    for (const Place& each : opened->places())
        models.push_back({{"name", each.name}, {"output_size", each.output_size}});
    const std::uint64_t id = next_id_++;
    Json reply = {{"pipeline", id},
                  {"frame_size", opened->frame_size()},
                  {"capacity", opened->capacity()},
                  {"models", models}};
    pipelines_.emplace(id, std::move(opened));
    return reply;
}

// Each frame in memory of its own that ends where it must not be read any further. Ends at the first that is refused.
Json PipelineSession::submit(const Json& request) {
    Pipeline& pipeline = this->pipeline(request);
    const std::uint64_t first_id = integer_field(request, place(request), "first_id", 0, max_id);
    const Array frames = frames_field(request, place(request), pipeline);
    std::size_t accepted = 0;
    for (; accepted < frames.frames; ++accepted) {
        GuardedBuffer features(frames.channels);
        std::copy_n(frames.row(accepted), frames.channels, features.data());
        features.make_read_only();
        if (!pipeline.submit(first_id + accepted, features.data())) break;
    }
    return {{"accepted", accepted}};
}

Json PipelineSession::poll(const Json& request) {
    Pipeline& pipeline = this->pipeline(request);
    const std::uint64_t most = integer_field(request, place(request), "most", 1, most_results);
    Result result(pipeline.places());
    Json ids = Json::array(), fallback = Json::array(), version = Json::array();
    std::vector<float> outputs;
    while (ids.size() < most && pipeline.poll(result)) {
        ids.push_back(result.frame_id);
        outputs.insert(outputs.end(), result.outputs.begin(), result.outputs.end());
        fallback.push_back(result.fallback);
        version.push_back(result.version);
    }
    return {{"ids", ids},
            {"outputs", array_to_json(outputs.data(), ids.size(), pipeline.outputs())},
            {"fallback", fallback},
            {"version", version}};
}

Json PipelineSession::reload(const Json& request) {
    Pipeline& pipeline = this->pipeline(request);
    return reloaded(pipeline, model_field(request, place(request), pipeline));
}

Json PipelineSession::status(const Json& request) {
    Pipeline& pipeline = this->pipeline(request);
    Json models = Json::array();
    for (std::uint32_t model = 0; model < pipeline.places().size(); ++model) {
        const ModelStatus status = pipeline.status(model);
        models.push_back({{"state", status.state}, {"version", status.version}, {"reason", status.reason}});
    }
    return {{"models", models}};
}

Json PipelineSession::counters(const Json& request) { return counters_to_json(pipeline(request)); }

Json PipelineSession::close(const Json& request) {
    pipeline(request);
    pipelines_.erase(request["pipeline"].get<std::uint64_t>());
    return Json::object();
}

Pipeline& PipelineSession::pipeline(const Json& request) {
    const std::uint64_t id = integer_field(request, place(request), "pipeline", 0, max_id);
    const auto found = pipelines_.find(id);
    if (found != pipelines_.end()) return *found->second;
    std::string known;
    for (const auto& [each, pipeline] : pipelines_) known += (known.empty() ? "" : ", ") + std::to_string(each);
    throw BadRequest("There is no pipeline " + std::to_string(id) + "; open are: " + (known.empty() ? "none" : known) +
                     ".");
}

std::uint32_t model_field(const Json& object, const std::string& where, const Pipeline& pipeline) {
    if (field(object, where, "model").is_null()) return RTC_ALL_MODELS;
    return static_cast<std::uint32_t>(integer_field(object, where, "model", 0, pipeline.places().size() - 1));
}

Array frames_field(const Json& object, const std::string& where, const Pipeline& pipeline) {
    Array frames = array_field(object, where, "frames");
    if (frames.channels != pipeline.frame_size())
        throw BadRequest("Field \"frames\" of " + where + ": expected the shape [frames, " +
                         std::to_string(pipeline.frame_size()) + "], found [" + std::to_string(frames.frames) + ", " +
                         std::to_string(frames.channels) + "].");
    return frames;
}

Json counters_to_json(const Pipeline& pipeline) {
    const rtc_pipeline_counters counters = pipeline.counters();
    return {{"submitted", counters.submitted},
            {"refused", counters.refused},
            {"polled", counters.polled},
            {"pending", counters.pending}};
}

Json reloaded(Pipeline& pipeline, std::uint32_t model) {
    const auto refusal = pipeline.reload(model);
    if (refusal == nullptr) return {{"accepted", true}};
    return {{"accepted", false},
            {"error", {{"phase", refusal->phase}, {"path", refusal->json_path}, {"message", refusal->what()}}}};
}

}  // namespace rtc::host
