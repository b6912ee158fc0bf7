#include "child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#ifdef __APPLE__
#include <crt_externs.h>
#endif

namespace rtconform::plugin
{

namespace
{

char** environment_of_this_process()
{
#ifdef __APPLE__
    return *_NSGetEnviron(); // libraries have no environ there
#else
    return environ;
#endif
}

/** A copy above the three standard streams, which dup2 in the child would otherwise overwrite before it is read. */
Descriptor above_standard(Descriptor end)
{
    return end.number() > STDERR_FILENO ? std::move(end)
                                        : Descriptor { ::fcntl(end.number(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1) };
}

/** "NAME=value", additions first and each name once: what stands first is what getenv finds. */
std::vector<std::string> environment_with(const std::vector<std::pair<std::string, std::string>>& additions)
{
    std::vector<std::string> all;
    for(const auto& [name, value] : additions)
        all.push_back(name + '=' + value);
    for(auto entry = environment_of_this_process(); entry != nullptr && *entry != nullptr; ++entry)
    {
        const std::string text { *entry };
        const auto name = text.substr(0, text.find('='));
        bool is_new = true;
        for(const auto& addition : additions)
            is_new = is_new && addition.first != name;
        if(is_new)
            all.push_back(text);
    }
    return all;
}

std::vector<char*> pointers(std::vector<std::string>& texts)
{
    std::vector<char*> result;
    for(auto& text : texts)
        result.push_back(text.data());
    result.push_back(nullptr);
    return result;
}

/** What posix_spawn needs to know; frees itself. */
class SpawnSettings
{
public:
    SpawnSettings()
    {
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawnattr_init(&attributes);
    }
    ~SpawnSettings()
    {
        ::posix_spawnattr_destroy(&attributes);
        ::posix_spawn_file_actions_destroy(&actions);
    }
    SpawnSettings(const SpawnSettings&) = delete;
    SpawnSettings& operator=(const SpawnSettings&) = delete;

    /** An errno, 0 for none. */
    int set(const std::string& folder, int output, int error)
    {
        int failure = 0;
        const auto also = [&failure](int result)
        { failure = failure != 0 ? failure : result; };
        if(!folder.empty())
            also(::posix_spawn_file_actions_addchdir_np(&actions, folder.c_str()));
        also(::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0));
        also(::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO));
        also(::posix_spawn_file_actions_adddup2(&actions, error, STDERR_FILENO));

        // A host ignores or blocks what it likes; both would be inherited.
        sigset_t every, none;
        ::sigfillset(&every);
        for(const auto fixed : { SIGKILL, SIGSTOP })
            ::sigdelset(&every, fixed);
        ::sigemptyset(&none);
        also(::posix_spawnattr_setsigdefault(&attributes, &every));
        also(::posix_spawnattr_setsigmask(&attributes, &none));
        short flags = POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;

        // Files and devices of the host that it opened without O_CLOEXEC; C libraries that are older leak those.
#ifdef POSIX_SPAWN_CLOEXEC_DEFAULT
        flags |= POSIX_SPAWN_CLOEXEC_DEFAULT;
#elif defined(__GLIBC__)
#if __GLIBC_PREREQ(2, 34)
        also(::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1));
#endif
#endif
        also(::posix_spawnattr_setflags(&attributes, flags));
        return failure;
    }

    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
};

std::string not_started(const std::string& program, const std::string& why)
{
    return "expected a program that can be started, found that \"" + program + "\" can't be: " + why;
}

} // namespace

Pipe Pipe::make()
{
    int ends[2];
#ifdef __linux__
    if(::pipe2(ends, O_CLOEXEC) != 0)
        return {};
#else
    if(::pipe(ends) != 0)
        return {};
    for(const auto end : ends)
        ::fcntl(end, F_SETFD, FD_CLOEXEC);
#endif
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    return { above_standard(Descriptor { ends[0] }), above_standard(Descriptor { ends[1] }) };
}

std::variant<ChildProcess, std::string> ChildProcess::start(const Command& command)
{
    if(command.arguments.empty() || command.arguments[0].empty())
        return std::string { "expected a command to start, found an empty one" };
    const auto& program = command.arguments[0];
    struct stat folder;
    if(!command.folder.empty() && (::stat(command.folder.c_str(), &folder) != 0 || !S_ISDIR(folder.st_mode)))
        return not_started(program, "its working folder " + command.folder + " is no folder");

    auto output = Pipe::make(), error = Pipe::make();
    SpawnSettings settings;
    if(!output.reading || !output.writing || !error.reading || !error.writing)
        return not_started(program, std::strerror(errno));
    auto failure = settings.set(command.folder, output.writing.number(), error.writing.number());
    auto arguments = command.arguments;
    auto environment = environment_with(command.environment);
    pid_t pid = -1;
    if(failure == 0)
        failure = ::posix_spawnp(&pid, program.c_str(), &settings.actions, &settings.attributes,
            pointers(arguments).data(), pointers(environment).data());
    if(failure != 0)
        return not_started(program, std::strerror(failure));
    return ChildProcess { pid, std::move(output.reading), std::move(error.reading) };
}

ChildProcess::ChildProcess(pid_t pid, Descriptor output, Descriptor error)
    : pid_ { pid }, output_ { std::move(output) }, error_ { std::move(error) }
{
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_ { std::exchange(other.pid_, -1) }, output_ { std::move(other.output_) }, error_ { std::move(other.error_) }
{
}

ChildProcess::~ChildProcess()
{
    if(pid_ > 0)
        end();
}

void ChildProcess::signal_all(int signal)
{
    ::kill(-pid_, signal); // POSIX_SPAWN_SETSID made it the leader of a group with its own number
}

bool ChildProcess::has_exited() const
{
    siginfo_t info {};
    const auto result = ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
    return result == 0 ? info.si_pid == pid_ : errno == ECHILD;
}

std::optional<Exit> ChildProcess::end()
{
    static constexpr std::chrono::milliseconds patience { 2000 }, nap { 2 };
    signal_all(SIGKILL);
    const auto pid = std::exchange(pid_, -1);
    for(auto waited = patience; waited.count() > 0; waited -= nap)
    {
        int status = 0;
        const auto reaped = ::waitpid(pid, &status, WNOHANG);
        if(reaped == pid)
            return WIFSIGNALED(status) ? Exit { Exit::Kind::signal, WTERMSIG(status) }
                                       : Exit { Exit::Kind::code, WEXITSTATUS(status) };
        if(reaped < 0 && errno != EINTR)
            return Exit { Exit::Kind::unknown, 0 };
        std::this_thread::sleep_for(nap);
    }
    return {};
}

} // namespace rtconform::plugin
