#include "conversation.h"

#include <algorithm>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "../abi/errors.h"
#include "../probe/watch.h"
#include "environment.h"

namespace rtc::host {
namespace {

constexpr std::uint64_t protocol_version = 1;

}  // namespace

Conversation::Conversation(std::vector<Operation> operations, std::string farewell)
    : operations_(std::move(operations)), farewell_(std::move(farewell)), environment_at_start_(environment_now()) {
    operations_.push_back({"hello", [this](const Json& request) { return hello(request); }, {"protocol"}});
    operations_.push_back({"plain_memory", plain_memory, {}});
    operations_.push_back({"environment", [this](const Json& request) { return environment(request); }, {"at_start"}});
    operations_.push_back({"quit", [this](const Json&) { return finished_ = true, Json::object(); }, {}});
}

void Conversation::open(const std::string& library, const std::function<void(const Library&)>& choose) {
    try {
        library_ = std::make_unique<Library>(library);
        choose(*library_);
    } catch (...) {
        opening_failure_ = std::current_exception();
    }
}

Json Conversation::failure(const Json& seq, const std::string& phase, const std::string& path,
                           const std::string& message, const char* class_name) {
    const Json error = {{"phase", phase}, {"path", path}, {"message", message}, {"class", class_name}};
    return {{"seq", seq}, {"ok", false}, {"error", error}};
}

Json Conversation::answer(const Json& request) {
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

Json Conversation::perform(const std::string& op, const Json& request) {
    const auto is_it = [&](const Operation& operation) { return op == operation.name; };
    const auto known = std::find_if(operations_.begin(), operations_.end(), is_it);
    if (known == operations_.end()) throw BadRequest("Unknown operation \"" + op + "\".");
    std::vector<const char*> fields = known->fields;
    fields.insert(fields.end(), {"seq", "op"});
    only_fields(request, place(request), fields);
    if (probe::is_trapped_for_good() && op != farewell_ && op != "quit")
        throw BadRequest("After a watch by seccomp, whose trap is never lifted, a process can only " + farewell_ +
                         " and quit. Start another one.");
    if (opening_failure_ && op != "quit") std::rethrow_exception(opening_failure_);
    return known->perform(request);
}

std::string Conversation::place(const Json& request) {
    return "the request \"" + request["op"].get<std::string>() + "\"";
}

Json Conversation::build_to_json(const rtc_build_info& info) {
    Json build = Json::object();
    if (info.compiler != nullptr) build["compiler"] = info.compiler;
    if (info.flags != nullptr) build["flags"] = info.flags;
    if (info.source_hash != nullptr) build["source_hash"] = info.source_hash;
    return build;
}

Json Conversation::hello(const Json& request) {
    const auto protocol = integer_field(request, place(request), "protocol", 0, max_id);
    if (protocol != protocol_version)
        throw BadRequest("Protocol " + std::to_string(protocol) + " is asked for; this host speaks protocol " +
                         std::to_string(protocol_version) + ".");
    return {{"protocol", protocol_version}, {"implementation", implementation()}};
}

Json Conversation::environment(const Json& request) const {
    return bool_field(request, place(request), "at_start") ? environment_at_start_ : environment_now();
}

Json Conversation::plain_memory(const Json&) {
#ifdef __GLIBC__
    mallopt(M_PERTURB, 0);
#endif
    return Json::object();
}

}  // namespace rtc::host
