// The one pass over a text. The arrays and objects that are open stand on a list, not on the call stack.
#include "json.h"
#include "json_string.h"
#include "numbers.h"

#include <algorithm>
#include <utility>

namespace rtconform::format
{

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

class JsonReader
{
public:
    explicit JsonReader(TextWindow& text) : text_ { text } { }

    /** Throws SyntaxFault. */
    Json run()
    {
        skip_space();
        for(;;)
        {
            if(!opens_container())
                scalar();
            if(!goes_on())
                return std::move(json_);
        }
    }

private:
    struct Open
    {
        char closing;
        Value container;
        bool has_weights;     // its numbers become floats
        bool is_behind_float; // which the next number can follow
    };

    /** At a value: whether an array or object begins here that isn't empty; then its first value comes next. */
    bool opens_container()
    {
        for(char c = text_.peek(); c == '{' || c == '['; c = text_.peek())
        {
            if(open_.size() == Json::max_depth)
                fail("arrays and objects at most 512 levels deep", "one more");
            open(c);
            text_.skip();
            skip_space();
            if(text_.peek() == open_.back().closing)
                return true; // which goes_on() closes
            if(c == '{')
                name();
        }
        return false;
    }

    void open(char opening)
    {
        const bool is_array = opening == '[', is_outermost = open_.size() + 1 == Json::weights_depth;
        const bool has_weights = is_array && (is_outermost || (!open_.empty() && open_.back().has_weights));
        add({ opening, false, 0, json_.floats_.size(), 0 });
        open_.push_back({ is_array ? ']' : '}', json_.items_.size() - 1, has_weights, false });
        if(has_weights && is_outermost)
            json_.floats_.emplace_back();
    }

    /** Behind a value: closes what ends here; false at the end of the text, true if another value comes next. */
    bool goes_on()
    {
        for(;;)
        {
            skip_space();
            if(open_.empty())
            {
                if(!text_.is_at_end())
                    fail("nothing behind the end of the JSON value", "more text");
                return false;
            }
            if(text_.peek() == open_.back().closing)
            {
                close();
                continue;
            }
            if(text_.peek() != ',')
                fail(open_.back().closing == '}' ? "a comma or }" : "a comma or ]");
            text_.skip();
            skip_space();
            if(open_.back().closing == '}')
                name();
            return true;
        }
    }

    void close()
    {
        text_.skip();
        const auto container = open_.back().container;
        json_.items_[container].behind = json_.items_.size();
        if(open_.back().closing == '}')
            refuse_duplicates(container);
        open_.pop_back();
    }

    void refuse_duplicates(Value object)
    {
        std::vector<std::string_view> names;
        for(const auto& member : json_.members(object))
            names.push_back(member.name);
        std::sort(names.begin(), names.end());
        if(std::adjacent_find(names.begin(), names.end()) != names.end())
            fail("each name once in an object", "an object that ends here and has a name twice");
    }

    /** Adds to the list, and to the container that it is in. */
    void add(Json::Item item)
    {
        item.behind = json_.items_.size() + 1;
        json_.items_.push_back(item);
        if(open_.empty())
            return;
        open_.back().is_behind_float = item.is_float;
        if(open_.back().closing == ']')
            ++json_.items_[open_.back().container].count;
    }

    void add_text(char kind, std::string_view text, bool is_float = false)
    {
        add({ kind, is_float, static_cast<uint32_t>(text.size()), json_.texts_.size(), 0 });
        json_.texts_ += text;
    }

    void name()
    {
        if(text_.peek() != '"')
            fail("a name in double quotes");
        add_text('"', string());
        ++json_.items_[open_.back().container].count;
        skip_space();
        if(text_.peek() != ':')
            fail("a colon");
        text_.skip();
        skip_space();
    }

    void scalar()
    {
        const char c = text_.peek();
        if(c == '"')
            return add_text('"', string());
        if(c == '-' || is_digit(c))
            return !open_.empty() && open_.back().has_weights ? weights() : add_text('0', number());
        const std::string_view ahead { text_.ahead(), TextWindow::lookahead };
        for(const std::string_view word : { "null", "true", "false" })
            if(ahead.substr(0, word.size()) == word)
            {
                text_.skip(word.size());
                return add_text(c, {});
            }
        fail("a JSON value");
    }

    /** What a string stands for. */
    std::string string()
    {
        text_.skip();
        text_.mark();
        while(text_.peek() != '"')
        {
            const auto length = text_.is_at_end() ? 0 : utf8_length({ text_.ahead(), TextWindow::lookahead });
            if(length == 0)
                fail(text_.is_at_end() ? "the end of a string" : "UTF-8");
            const char c = text_.peek();
            if(static_cast<uint8_t>(c) < 0x20)
                fail("no control character in a string");
            text_.skip(length);
            if(c == '\\')
                escape();
        }
        auto text = unescaped(text_.take());
        text_.skip();
        return text;
    }

    void escape()
    {
        static constexpr std::string_view letters = "\"\\/bfnrt";
        static constexpr auto is_hex = [](char c)
        { return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); };
        const char c = text_.peek();
        if(c == 'u')
        {
            const auto* const digits = text_.ahead() + 1;
            if(!std::all_of(digits, digits + 4, is_hex))
                fail("four hexadecimal digits behind \\u");
            text_.skip(5);
        }
        else if(letters.find(c) != std::string_view::npos)
            text_.skip();
        else
            fail("one of \" \\ / b f n r t u behind a backslash");
    }

    /** Numbers of a layer, as far as only commas lie between them. */
    void weights()
    {
        auto& floats = json_.floats_.back();
        const auto text = number();
        const auto value = nearest_float(text);
        if(value && open_.back().is_behind_float)
            follow(1);
        else
            add_text('0', text, value.has_value());
        if(!value)
            return;
        floats.push_back(*value);
        static_assert(TextWindow::lookahead >= 2 + plain_lookahead, "for a comma, a space, and the number behind them");
        // A place in a register, since the next number can't be looked at before this one's end is known.
        const auto* at = text_.ahead();
        const auto before = floats.size();
        for(const auto* last = text_.last();;)
        {
            if(at > last)
            {
                text_.go_to(at);
                at = text_.ahead();
                last = text_.last();
            }
            if(*at != ',')
                break;
            const auto* const begin = at + (at[1] == ' ' ? 2 : 1);
            const auto further = read_plain(begin);
            if(further.length == 0)
                break;
            floats.push_back(further.value);
            at = begin + further.length;
        }
        text_.go_to(at);
        follow(static_cast<uint32_t>(floats.size() - before));
    }

    /** Notes numbers behind a number. */
    void follow(uint32_t count)
    {
        if(count == 0)
            return;
        json_.items_[open_.back().container].count += count;
        if(json_.items_.back().kind != '+')
            json_.items_.push_back({ '+', true, 0, 0, json_.items_.size() + 1 });
        json_.items_.back().count += count;
    }

    std::string_view number()
    {
        text_.mark();
        if(text_.peek() == '-')
            text_.skip();
        if(text_.peek() == '0')
            text_.skip();
        else
            digits();
        if(text_.peek() == '.')
        {
            text_.skip();
            digits();
        }
        if(text_.peek() == 'e' || text_.peek() == 'E')
        {
            text_.skip();
            if(text_.peek() == '+' || text_.peek() == '-')
                text_.skip();
            digits();
        }
        return text_.take();
    }

    void digits()
    {
        if(!is_digit(text_.peek()))
            fail("a digit");
        while(is_digit(text_.peek()))
            text_.skip();
    }

    void skip_space()
    {
        while(is_space(text_.peek()))
            text_.skip();
    }

    [[noreturn]] void fail(std::string expected, std::string found = {})
    {
        static constexpr char hex[] = "0123456789abcdef";
        if(found.empty() && text_.is_at_end())
            found = "the end of the text";
        else if(found.empty())
        {
            const auto c = static_cast<uint8_t>(text_.peek());
            found = c > 0x20 && c < 0x7f ? std::string { static_cast<char>(c) }
                                         : std::string { "the byte 0x" } + hex[c >> 4] + hex[c & 15];
        }
        throw SyntaxFault { text_.position(), std::move(expected), std::move(found) };
    }

    TextWindow& text_;
    std::vector<Open> open_;
    Json json_;
};

std::variant<Json, SyntaxFault> Json::read(TextWindow&& text)
{
    try
    {
        return JsonReader { text }.run();
    }
    catch(SyntaxFault& fault)
    {
        return std::move(fault);
    }
}

} // namespace rtconform::format
