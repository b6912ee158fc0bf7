// A text that comes in pieces, of which no more is in memory than is being read.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>
#include <vector>

namespace rtconform::format
{

class TextWindow
{
public:
    /** Puts the next bytes of a text into memory of the given size, and says how many: 0 at its end only. */
    using Source = std::function<size_t(char*, size_t)>;

    /** As many bytes can be read from here on without a look at where the text ends: zeros stand behind it. */
    static constexpr size_t lookahead = 80;

    explicit TextWindow(Source source);
    explicit TextWindow(std::string_view text);
    TextWindow(const TextWindow&) = delete;
    TextWindow& operator=(const TextWindow&) = delete;

    /** The byte that comes next; 0 at the end of the text, too. */
    char peek()
    {
        if(at_ == end_)
            fetch(1);
        return *at_;
    }

    /** What comes next: `lookahead` bytes, with zeros for those that the text no longer has. */
    const char* ahead()
    {
        if(static_cast<size_t>(end_ - at_) < lookahead)
            fetch(lookahead);
        return at_;
    }

    /** Behind ahead(): the last place from which as many bytes can be read. */
    const char* last() const { return is_over_ ? end_ : end_ - lookahead; }

    bool is_at_end()
    {
        peek();
        return at_ == end_;
    }

    void skip(size_t bytes = 1) { at_ += bytes; }

    /** Goes to a place that was read from ahead() or from last(). */
    void go_to(const char* place) { at_ = place; }

    /** The text from here on stays in memory until it is taken. */
    void mark() { marked_ = at_; }

    /** The text since mark(), up to here. */
    std::string_view take()
    {
        const std::string_view text { marked_, static_cast<size_t>(at_ - marked_) };
        marked_ = nullptr;
        return text;
    }

    /** Where this is, counted from 1; a column is a byte. */
    struct Position
    {
        size_t line, column;
    };

    Position position() const;

private:
    void fetch(size_t wanted);
    Position position(const char* place) const;

    Source source_;
    std::vector<char> memory_;
    const char *at_, *end_;
    const char* marked_ = nullptr;
    bool is_over_ = false;
    Position begin_ { 1, 1 }; // of what is in memory
};

} // namespace rtconform::format
