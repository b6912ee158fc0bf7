#include "text_window.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace rtconform::format
{

/** Little enough to stay in a processor's cache, and enough for few calls of the source. */
static constexpr size_t first_size = 1 << 16;

TextWindow::TextWindow(Source source)
    : source_ { std::move(source) }
    , memory_(first_size)
    , at_ { memory_.data() }
    , end_ { at_ }
{
}

TextWindow::TextWindow(std::string_view text)
    : TextWindow { [text](char* memory, size_t size) mutable
        {
            const auto count = text.copy(memory, size);
            text.remove_prefix(count);
            return count;
        } }
{
}

void TextWindow::fetch(size_t wanted)
{
    while(!is_over_ && static_cast<size_t>(end_ - at_) < wanted)
    {
        const auto* const kept = marked_ != nullptr ? marked_ : at_;
        const auto here = static_cast<size_t>(at_ - kept), count = static_cast<size_t>(end_ - kept);
        if(kept != memory_.data())
        {
            begin_ = position(kept);
            std::memmove(memory_.data(), kept, count);
        }
        if(count + lookahead > memory_.size() / 2)
            memory_.resize(2 * memory_.size());
        const auto added = source_(memory_.data() + count, memory_.size() - lookahead - count);
        is_over_ = added == 0;
        at_ = memory_.data() + here;
        end_ = memory_.data() + count + added;
        std::fill_n(memory_.data() + count + added, lookahead, '\0');
        if(marked_ != nullptr)
            marked_ = memory_.data();
    }
}

TextWindow::Position TextWindow::position() const
{
    return position(at_);
}

TextWindow::Position TextWindow::position(const char* place) const
{
    auto result = begin_;
    const char* from = memory_.data();
    while(const auto* newline = static_cast<const char*>(std::memchr(from, '\n', static_cast<size_t>(place - from))))
    {
        ++result.line;
        result.column = 1;
        from = newline + 1;
    }
    result.column += static_cast<size_t>(place - from);
    return result;
}

} // namespace rtconform::format
