// One conversation: a library, and the operations of the protocol that the role of what is in it has.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "../abi/library.h"
#include "../probe/static_data.h"
#include "fields.h"

namespace rtc::host {

class Conversation {
public:
    virtual ~Conversation() = default;

    // Carries out one request and returns the reply without its "noise". Never throws.
    Json answer(const Json& request);

    // The reply to a request that isn't carried out. class_name says whose fault it is: "Refusal" (of a file),
    // "LibraryError" (it can't be used), "ContractBreach" (of loader.h or pipeline.h), "BadRequest" or "HostError".
    static Json failure(const Json& seq, const std::string& phase, const std::string& path, const std::string& message,
                        const char* class_name);

    bool finished() const { return finished_; }

protected:
    struct Operation {
        std::string name;
        std::function<Json(const Json& request)> perform;
        std::vector<const char*> fields;
    };

    // `farewell` is the operation that gives back what is open: with quit, all that is left after a watch by seccomp.
    // hello, plain_memory, environment and quit are there for every role.
    Conversation(std::vector<Operation> operations, std::string farewell);

    // The library is opened here, and `choose` takes what is asked for; if that fails, every request but quit is
    // answered with the reason.
    void open(const std::string& library, const std::function<void(const Library&)>& choose);

    // What hello says of the implementation.
    virtual Json implementation() const = 0;

    // The request's fields under `op`, in the words of a message.
    static std::string place(const Json& request);
    static Json build_to_json(const rtc_build_info& info);

    const probe::StaticData& static_data() const { return static_data_; }

private:
    Json perform(const std::string& op, const Json& request);
    Json hello(const Json& request);
    Json environment(const Json& request) const;
    static Json plain_memory(const Json& request);

    std::vector<Operation> operations_;
    std::string farewell_;
    const Json environment_at_start_;  // before the library was opened
    probe::StaticData static_data_;
    std::unique_ptr<Library> library_;
    std::exception_ptr opening_failure_;
    bool finished_ = false;
};

}  // namespace rtc::host
