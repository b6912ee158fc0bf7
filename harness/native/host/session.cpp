#include "session.h"

#include <algorithm>

#include "../abi/errors.h"
#include "../probe/watch.h"
#include "guarded_buffer.h"

namespace rtc::host {
namespace {

constexpr std::uint64_t protocol_version = 1;

// The request's fields under `op`, in the words of a message.
std::string place(const Json& request) { return "the request \"" + request["op"].get<std::string>() + "\""; }

Json implementation(const rtc_loader& loader) {
    Json described = {{"name", loader.name},
                      {"version", loader.version},
                      {"role", "loader"},
                      {"numeric_class", loader.numeric_class},
                      {"layer_types", layer_types(loader)},
                      {"features", {"measure"}}};
    if (const rtc_build_info* info = build_info(loader)) {
        Json build = Json::object();
        if (info->compiler != nullptr) build["compiler"] = info->compiler;
        if (info->flags != nullptr) build["flags"] = info->flags;
        if (info->source_hash != nullptr) build["source_hash"] = info->source_hash;
        described["build"] = build;
    }
    return described;
}

}  // namespace

Session::Session(const std::string& library, const std::string& loader) {
    try {
        library_ = std::make_unique<Library>(library);
        loader_ = &library_->loader(loader);
    } catch (...) {
        opening_failure_ = std::current_exception();
    }
}

Json Session::failure(const Json& seq, const std::string& phase, const std::string& path, const std::string& message,
                      const char* class_name) {
    const Json error = {{"phase", phase}, {"path", path}, {"message", message}, {"class", class_name}};
    return {{"seq", seq}, {"ok", false}, {"error", error}};
}

const std::vector<Session::Operation>& Session::operations() {
    static const std::vector<Operation> all = {
        {"hello", &Session::hello, {"protocol"}},
        {"load", &Session::load, {"path"}},
        {"prepare", &Session::prepare, {"model", "max_frames"}},
        {"reset", &Session::reset, {"model"}},
        {"process", &Session::process, {"model", "frames"}},
        {"unload", &Session::unload, {"model"}},
        {"plain_memory", &Session::plain_memory, {}},
        {"watch", &Session::watch, {"model", "frames", "blocks"}},
        {"process_together", &Session::process_together, {"parts", "block", "passes"}},
        {"measure_latency",
         &Session::measure_latency,
         {"models", "flow", "audio", "warmup", "reset_every", "control_ns", "others", "cache_bytes"}},
        {"measure_blocks", &Session::measure_blocks, {"model", "frames", "block"}},
        {"measure_memory", &Session::measure_memory, {"paths", "cycles"}},
        {"count_instructions", &Session::count_instructions, {"model", "frames"}},
        {"environment", &Session::environment, {}},
        {"quit", &Session::quit, {}},
    };
    return all;
}

Json Session::answer(const Json& request) {
    Json seq = nullptr;
    try {
        if (!request.is_object()) throw BadRequest("A request must be a JSON object.");
        const Json& given = field(request, "the request", "seq");
        if (!given.is_number_integer()) throw BadRequest("Field \"seq\" of the request: expected an integer.");
        seq = given;
        Json reply = perform(string_field(request, "the request", "op"), request);
        reply["seq"] = seq;
        reply["ok"] = true;
        return reply;
    } catch (const Refusal& refusal) {
        return failure(seq, refusal.phase, refusal.json_path, refusal.what(), "Refusal");
    } catch (const LibraryError& error) {
        return failure(seq, "config", "", error.what(), "LibraryError");
    } catch (const ContractBreach& error) {
        return failure(seq, "internal", "", error.what(), "ContractBreach");
    } catch (const std::invalid_argument& error) {
        return failure(seq, "internal", "", error.what(), "BadRequest");
    } catch (const std::exception& error) {
        return failure(seq, "internal", "", error.what(), "HostError");
    }
}

Json Session::perform(const std::string& op, const Json& request) {
    const auto& all = operations();
    const auto known = std::find_if(all.begin(), all.end(), [&](auto& operation) { return op == operation.name; });
    if (known == all.end()) throw BadRequest("Unknown operation \"" + op + "\".");
    std::vector<const char*> fields = known->fields;
    fields.insert(fields.end(), {"seq", "op"});
    only_fields(request, place(request), fields);
    if (probe::is_trapped_for_good() && op != "unload" && op != "quit")
        throw BadRequest("After a watch by seccomp, whose trap is never lifted, a process can only unload and quit. "
                         "Start another one.");
    if (opening_failure_ && op != "quit") std::rethrow_exception(opening_failure_);
    return (this->*known->perform)(request);
}

Json Session::hello(const Json& request) {
    const auto protocol = integer_field(request, place(request), "protocol", 0, max_id);
    if (protocol != protocol_version)
        throw BadRequest("Protocol " + std::to_string(protocol) + " is asked for; this host speaks protocol " +
                         std::to_string(protocol_version) + ".");
    return {{"protocol", protocol_version}, {"implementation", implementation(*loader_)}};
}

Json Session::load(const Json& request) {
    auto loaded = std::make_unique<Model>(*loader_, string_field(request, place(request), "path"));
    const std::uint64_t id = next_id_++;
    Json reply = {{"model", id}, {"input_size", loaded->input_size()}, {"output_size", loaded->output_size()}};
    models_.emplace(id, std::move(loaded));
    return reply;
}

Json Session::prepare(const Json& request) {
    const auto max_frames = integer_field(request, place(request), "max_frames", 1, Model::max_block);
    model(request, place(request)).prepare(static_cast<std::uint32_t>(max_frames));
    return Json::object();
}

Json Session::reset(const Json& request) {
    model(request, place(request)).reset();
    return Json::object();
}

Json Session::process(const Json& request) {
    Model& model = this->model(request, place(request));
    const Array frames = frames_for(model, request, place(request));
    GuardedBuffer in(frames.values.size()), out(frames.frames * model.output_size());
    std::copy(frames.values.begin(), frames.values.end(), in.data());
    in.make_read_only();
    model.process(in.data(), out.data(), static_cast<std::uint32_t>(frames.frames));
    if (!out.front_untouched()) throw ContractBreach("process() wrote in front of its output frames.");
    return {{"outputs", array_to_json(out.data(), frames.frames, model.output_size())}};
}

Json Session::unload(const Json& request) {
    model(request, place(request));
    models_.erase(request["model"].get<std::uint64_t>());
    return Json::object();
}

Json Session::quit(const Json&) {
    finished_ = true;
    return Json::object();
}

Model& Session::model(const Json& request, const std::string& where) {
    return model_by_id(integer_field(request, where, "model", 0, max_id));
}

Model& Session::model_by_id(std::uint64_t id) {
    const auto found = models_.find(id);
    if (found != models_.end()) return *found->second;
    std::string known;
    for (const auto& [each, model] : models_) known += (known.empty() ? "" : ", ") + std::to_string(each);
    throw BadRequest("There is no model " + std::to_string(id) + "; loaded are: " +
                     (known.empty() ? "none" : known) + ".");
}

Array Session::frames_for(const Model& model, const Json& request, const std::string& where) {
    Array frames = array_field(request, where, "frames");
    if (frames.channels != model.input_size())
        throw BadRequest("Field \"frames\" of " + where + ": expected the shape [frames, " +
                         std::to_string(model.input_size()) + "], found [" + std::to_string(frames.frames) + ", " +
                         std::to_string(frames.channels) + "].");
    return frames;
}

}  // namespace rtc::host
