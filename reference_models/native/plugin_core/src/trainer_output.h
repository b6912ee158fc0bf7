// What a trainer writes, in bounded memory: its bytes cut into lines, lines that are progress, and the last of the rest.
#pragma once

#include <rtconform_plugin/ml_bridge.h>

#include <deque>
#include <string_view>

namespace rtconform::plugin
{

/** A stream in pieces of any length, cut at each '\n'. Of a line only the first max_bytes are kept. */
class LineCutter
{
public:
    static constexpr size_t max_bytes = 1 << 16;

    /** Hands over each line that ends in the piece. */
    void take(std::string_view piece, const std::function<void(std::string_view)>& on_line);

    /** Hands over what the stream ended with, if that is anything. */
    void finish(const std::function<void(std::string_view)>& on_line);

private:
    std::string line_;
};

/** A JSON object with an "epoch", a whole number, and a "loss", a number; nothing for any other line. */
std::optional<TrainingProgress> progress_in(std::string_view line);

/** The last lines of a text, each cut to max_bytes, as UTF-8. */
class Log
{
public:
    static constexpr size_t max_bytes = 1000;

    explicit Log(size_t max_lines) : max_lines_ { max_lines } { }

    void add(std::string_view line);
    void clear() { lines_.clear(); }

    std::vector<std::string> lines() const { return { lines_.begin(), lines_.end() }; }

private:
    size_t max_lines_;
    std::deque<std::string> lines_;
};

} // namespace rtconform::plugin
