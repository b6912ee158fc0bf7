// One conversation: a library, the models loaded from it, and the operations of the protocol.
#pragma once

#include <exception>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "../abi/library.h"
#include "../abi/model.h"
#include "../probe/static_data.h"
#include "fields.h"

namespace rtc::host {

class Session {
public:
    // The library is opened here; if that fails, every request but quit is answered with the reason.
    Session(const std::string& library, const std::string& loader);

    // Carries out one request and returns the reply without its "noise". Never throws.
    Json answer(const Json& request);

    // The reply to a request that isn't carried out. class_name says whose fault it is: "Refusal" (of a file),
    // "LibraryError" (it can't be used), "ContractBreach" (of loader.h), "BadRequest" or "HostError".
    static Json failure(const Json& seq, const std::string& phase, const std::string& path, const std::string& message,
                        const char* class_name);

    bool finished() const { return finished_; }

private:
    Json perform(const std::string& op, const Json& request);

    Json hello(const Json& request);
    Json load(const Json& request);
    Json prepare(const Json& request);
    Json reset(const Json& request);
    Json process(const Json& request);
    Json unload(const Json& request);
    Json plain_memory(const Json& request);
    Json watch(const Json& request);
    Json process_together(const Json& request);
    Json measure_latency(const Json& request);
    Json measure_blocks(const Json& request);
    Json measure_memory(const Json& request);
    Json count_instructions(const Json& request);
    Json environment(const Json& request);
    Json quit(const Json& request);

    struct Operation {
        const char* name;
        Json (Session::*perform)(const Json& request);
        std::vector<const char*> fields;
    };
    static const std::vector<Operation>& operations();

    Model& model(const Json& request, const std::string& where);
    Model& model_by_id(std::uint64_t id);
    static Array frames_for(const Model& model, const Json& request, const std::string& where);

    probe::StaticData static_data_;
    std::exception_ptr opening_failure_;
    std::unique_ptr<Library> library_;
    const rtc_loader* loader_ = nullptr;
    std::map<std::uint64_t, std::unique_ptr<Model>> models_;
    std::uint64_t next_id_ = 1;
    std::vector<std::uint64_t> other_memory_;  // what measure_latency reads between two steps
    bool finished_ = false;
};

}  // namespace rtc::host
