// A conversation about a loader: the models loaded by it, and what is measured on them.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "../abi/model.h"
#include "conversation.h"

namespace rtc::host {

class Session : public Conversation {
public:
    Session(const std::string& library, const std::string& loader);

private:
    std::vector<Operation> operations();
    Json implementation() const override;

    Json load(const Json& request);
    Json prepare(const Json& request);
    Json reset(const Json& request);
    Json process(const Json& request);
    Json unload(const Json& request);
    Json watch(const Json& request);
    Json process_together(const Json& request);
    Json measure_latency(const Json& request);
    Json measure_blocks(const Json& request);
    Json measure_memory(const Json& request);
    Json count_instructions(const Json& request);

    Model& model(const Json& request, const std::string& where);
    Model& model_by_id(std::uint64_t id);
    static Array frames_for(const Model& model, const Json& request, const std::string& where);

    const rtc_loader* loader_ = nullptr;
    std::map<std::uint64_t, std::unique_ptr<Model>> models_;
    std::uint64_t next_id_ = 1;
    std::vector<std::uint64_t> other_memory_;  // what measure_latency reads between two steps
};

}  // namespace rtc::host
