// A program in a process and session of its own, with its standard output and error coming back through pipes.
#pragma once

#include "descriptor.h"

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace rtconform::plugin
{

/** Both ends close on exec. Reading never waits, and gives EAGAIN. Empty ends and errno if no pipe can be had. */
struct Pipe
{
    static Pipe make();

    Descriptor reading, writing;
};

/** How a process ended: by itself, by a signal, or unseen by us, because somebody else in this process waited for it. */
struct Exit
{
    enum class Kind
    {
        code,
        signal,
        unknown
    } kind;
    int number;
};

class ChildProcess
{
public:
    struct Command
    {
        std::vector<std::string> arguments; // the program, which PATH is searched for if it has no slash, comes first
        std::string folder; // where it runs, and where a relative program starts; "": here
        std::vector<std::pair<std::string, std::string>> environment; // in addition to ours, and before it
    };

    /** The running program, or why there is none. It reads nothing, inherits no other descriptor, and every signal
        has its default meaning. */
    static std::variant<ChildProcess, std::string> start(const Command& command);

    ChildProcess(ChildProcess&&) noexcept;
    ChildProcess& operator=(ChildProcess&&) = delete;

    /** As end(), if nobody has called that. */
    ~ChildProcess();

    Descriptor& output() { return output_; }
    Descriptor& error() { return error_; }

    /** To it and all that it started and that didn't leave its process group. */
    void signal_all(int signal);

    /** Whether it has exited. Its number stays taken until end(), so that signals reach nobody else. */
    bool has_exited() const;

    /** Kills it, with all that it started, and says how it ended; its children too where it has exited already, for
        they would go on writing where nobody reads. Nothing where the kernel lets it live for two seconds more: then
        a zombie is left. Call it once. */
    std::optional<Exit> end();

private:
    ChildProcess(pid_t pid, Descriptor output, Descriptor error);

    pid_t pid_;
    Descriptor output_, error_;
};

} // namespace rtconform::plugin
