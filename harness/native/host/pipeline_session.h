// A conversation about a pipeline: what the protocol's operations do to those that are open.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "../abi/pipeline.h"
#include "conversation.h"

namespace rtc::host {

class PipelineSession : public Conversation {
public:
    PipelineSession(const std::string& library, const std::string& pipeline);

private:
    std::vector<Operation> operations();
    Json implementation() const override;

    Json open_folder(const Json& request);
    Json submit(const Json& request);
    Json poll(const Json& request);
    Json reload(const Json& request);
    Json status(const Json& request);
    Json counters(const Json& request);
    Json close(const Json& request);
    Json run_live(const Json& request);
    Json measure_pipeline_memory(const Json& request);

    Pipeline& pipeline(const Json& request);

    const rtc_pipeline_api* api_ = nullptr;
    std::map<std::uint64_t, std::unique_ptr<Pipeline>> pipelines_;
    std::uint64_t next_id_ = 1;
};

// The field "model" of a request: a model's number, or null for all of them.
std::uint32_t model_field(const Json& object, const std::string& where, const Pipeline& pipeline);

// The field "frames", one row per frame of the pipeline's size.
Array frames_field(const Json& object, const std::string& where, const Pipeline& pipeline);

Json counters_to_json(const Pipeline& pipeline);

// {"accepted": …}, and what was said of the first file that was refused.
Json reloaded(Pipeline& pipeline, std::uint32_t model);

}  // namespace rtc::host
