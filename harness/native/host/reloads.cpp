#include "reloads.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "machine.h"
#include "pipeline_session.h"

namespace rtc::host {
namespace {

[[noreturn]] void fail(const std::string& what, const std::string& path) {
    throw std::runtime_error(what + " " + path + ": " + std::strerror(errno) + ".");
}

std::string content(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) fail("Expected a file that can be read at", path);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void carry_out(const Put& put) {
    if (!put.from) {
        if (std::remove(put.to.c_str()) != 0 && errno != ENOENT) fail("Can't remove", put.to);
        return;
    }
    std::string bytes = content(*put.from);
    if (put.bytes && *put.bytes < bytes.size()) bytes.resize(*put.bytes);
    const std::string beside = put.to + ".part";
    std::ofstream file(beside, std::ios::binary | std::ios::trunc);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    file.close();
    if (!file) fail("Can't write", beside);
    if (std::rename(beside.c_str(), put.to.c_str()) != 0) fail("Can't rename to", put.to);
}

Put read_put(const Json& json, const std::string& where) {
    if (!json.is_object()) throw BadRequest("Expected an object: " + where + ".");
    only_fields(json, where, {"to", "from", "bytes"});
    Put put{string_field(json, where, "to"), std::nullopt, std::nullopt};
    if (!field(json, where, "from").is_null()) put.from = string_field(json, where, "from");
    if (json.contains("bytes")) put.bytes = integer_field(json, where, "bytes", 0, max_id);
    return put;
}

const Json& array_of(const Json& object, const std::string& where, const char* name) {
    const Json& list = field(object, where, name);
    if (!list.is_array()) throw BadRequest("Field \"" + std::string(name) + "\" of " + where + ": expected a list.");
    return list;
}

}  // namespace

std::vector<Action> actions_field(const Json& request, const std::string& where, const Pipeline& pipeline) {
    std::vector<Action> actions;
    for (const Json& json : array_of(request, where, "actions")) {
        const std::string here = "actions[" + std::to_string(actions.size()) + "] of " + where;
        if (!json.is_object()) throw BadRequest("Expected an object: " + here + ".");
        only_fields(json, here, {"puts", "model"});
        Action action{{}, model_field(json, here, pipeline)};
        for (const Json& put : array_of(json, here, "puts")) action.puts.push_back(read_put(put, "a put of " + here));
        actions.push_back(std::move(action));
    }
    return actions;
}

Json carry_out(const Action& action, Pipeline& pipeline, std::int64_t started_at) {
    for (const Put& put : action.puts) carry_out(put);
    const std::int64_t before = nanoseconds(CLOCK_MONOTONIC);
    Json done = reloaded(pipeline, action.model);
    done["took_ns"] = nanoseconds(CLOCK_MONOTONIC) - before;
    done["at_ns"] = before - started_at;
    Json versions = Json::array();
    for (std::uint32_t model = 0; model < pipeline.places().size(); ++model)
        versions.push_back(pipeline.status(model).version);
    done["version"] = versions;
    return done;
}

}  // namespace rtc::host
