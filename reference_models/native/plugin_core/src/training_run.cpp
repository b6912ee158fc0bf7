#include "training_run.h"

#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace rtconform::plugin
{

namespace
{

using Clock = std::chrono::steady_clock;

// How late it is noticed that a trainer has exited although something holds its outputs open, or is to be stopped.
constexpr std::chrono::milliseconds tick { 20 };

// What is read of an output after the end: more than a pipe holds, and no more if somebody goes on writing.
constexpr size_t most_leftover_bytes = 1 << 21;

/** One of the trainer's outputs. */
class Output
{
public:
    Output(Descriptor& end, std::function<void(std::string_view)> on_line)
        : end_ { end }, on_line_ { std::move(on_line) }
    {
    }

    int number() const { return end_.number(); }

    /** Reads what is there, and at most once; how much that was. At the end of the output the descriptor is closed. */
    size_t read()
    {
        if(!end_)
            return 0;
        const auto count = ::read(end_.number(), piece_.data(), piece_.size());
        if(count > 0)
            cutter_.take({ piece_.data(), static_cast<size_t>(count) }, on_line_);
        else if(count == 0 || (errno != EAGAIN && errno != EINTR))
            end_.close();
        return count > 0 ? static_cast<size_t>(count) : 0;
    }

    /** Reads what is left when nobody writes any more. */
    void finish()
    {
        for(size_t total = 0; total < most_leftover_bytes;)
        {
            const auto count = read();
            if(count == 0)
                break;
            total += count;
        }
        cutter_.finish(on_line_);
    }

private:
    Descriptor& end_;
    std::function<void(std::string_view)> on_line_;
    LineCutter cutter_;
    std::array<char, 1 << 16> piece_;
};

enum class Stop
{
    none,
    cancelled,
    silent
};

/** Until the trainer has exited, or had its time to do so after it was asked to. */
Stop watch(ChildProcess& child, Output& output, Output& error, const BridgeOptions& options, const std::atomic<bool>& is_cancelled)
{
    auto stop = Stop::none;
    auto heard = Clock::now(), asked = heard;
    while(!child.has_exited())
    {
        const auto now = Clock::now();
        if(stop == Stop::none)
        {
            const bool is_silent = options.silence_limit.count() > 0 && now - heard >= options.silence_limit;
            stop = is_cancelled ? Stop::cancelled : is_silent ? Stop::silent : Stop::none;
            if(stop != Stop::none)
            {
                child.signal_all(SIGTERM);
                asked = now;
            }
        }
        else if(now - asked >= options.grace_period)
            break;
        pollfd waited[] { { output.number(), POLLIN, 0 }, { error.number(), POLLIN, 0 } };
        ::poll(waited, std::size(waited), static_cast<int>(tick.count())); // closed ones are -1, which poll skips
        const auto bytes = output.read() + error.read();
        if(bytes > 0)
            heard = Clock::now();
    }
    return stop;
}

std::string how_it_ended(const Exit& exit)
{
    switch(exit.kind)
    {
    case Exit::Kind::code:
        return "exit code " + std::to_string(exit.number);
    case Exit::Kind::signal:
        return "that signal " + std::to_string(exit.number) + " (" + ::strsignal(exit.number) + ") ended it";
    default:
        return "that this process ignores SIGCHLD, or waits for children that it didn't start, so that nobody knows how";
    }
}

/** "; its last words: ..." */
std::string last_words(const std::vector<std::string>& lines)
{
    std::string words;
    for(const auto& line : lines)
        words += (words.empty() ? "" : "\n") + line;
    return words.empty() ? "; it wrote nothing to its standard error" : "; its standard error ends with:\n" + words;
}

} // namespace

std::optional<std::string> run_trainer(const BridgeOptions& options,
    const std::function<void(const TrainingProgress&)>& progress, SharedLog& log,
    const std::atomic<bool>& is_cancelled)
{
    if(is_cancelled)
        return "";
    auto started = ChildProcess::start({ options.command, options.working_folder, options.environment });
    if(auto* why = std::get_if<std::string>(&started))
        return std::move(*why);
    auto& child = std::get<ChildProcess>(started);

    Log said { 10 };
    Output output { child.output(),
        [&](std::string_view line)
        {
            const auto epoch = progress_in(line);
            if(!epoch)
                log.add(line);
            else if(progress)
                progress(*epoch);
        } };
    Output error { child.error(),
        [&](std::string_view line)
        {
            log.add(line);
            said.add(line);
        } };
    const auto stopped = watch(child, output, error, options, is_cancelled);
    const auto exit = child.end();
    output.finish();
    error.finish();

    if(is_cancelled)
        return "";
    if(stopped == Stop::silent)
        return "expected the trainer to write something every " + std::to_string(options.silence_limit.count())
            + " ms, found silence, and stopped it" + last_words(said.lines());
    if(!exit || exit->kind != Exit::Kind::code || exit->number != 0)
        return "expected the trainer to end with exit code 0, found " + (exit ? how_it_ended(*exit) : "no end")
            + last_words(said.lines());
    return {};
}

} // namespace rtconform::plugin
