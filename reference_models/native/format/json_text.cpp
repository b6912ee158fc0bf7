#include "json_text.h"

#include "json_string.h"

#include <algorithm>
#include <cstdint>
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

/** One pass over a text. The arrays and objects that are open stand on a list, not on the call stack. */
class JsonChecker
{
public:
    explicit JsonChecker(std::string_view text) : text_ { text }, result_ { text } { }

    /** Throws SyntaxFault. */
    JsonText run()
    {
        skip_space();
        result_.root_ = at_;
        for(;;)
        {
            if(!opens_container())
                scalar();
            if(!goes_on())
                return std::move(result_);
        }
    }

private:
    struct Open
    {
        char closing;
        Place begin;
        Members members;
    };

    /** At a value: whether an array or object begins here that isn't empty; then its first value comes next. */
    bool opens_container()
    {
        while(at_ < text_.size() && (text_[at_] == '{' || text_[at_] == '['))
        {
            if(open_.size() == JsonText::max_depth)
                fail("arrays and objects at most 512 levels deep", "one more");
            open_.push_back({ text_[at_] == '{' ? '}' : ']', at_, {} });
            ++at_;
            skip_space();
            if(peek() == open_.back().closing)
                return true; // which goes_on() closes
            if(open_.back().closing == '}')
                name();
        }
        return false;
    }

    /** Behind a value: closes what ends here; false at the end of the text, true if another value comes next. */
    bool goes_on()
    {
        for(;;)
        {
            skip_space();
            if(open_.empty())
            {
                if(at_ != text_.size())
                    fail("nothing behind the end of the JSON value", "more text");
                return false;
            }
            if(peek() == open_.back().closing)
            {
                close();
                continue;
            }
            if(peek() != ',')
                fail(open_.back().closing == '}' ? "a comma or }" : "a comma or ]");
            ++at_;
            skip_space();
            if(open_.back().closing == '}')
                name();
            return true;
        }
    }

    void close()
    {
        ++at_;
        auto& object = open_.back();
        if(object.closing == '}')
            refuse_duplicates(object.members);
        if(open_.size() <= JsonText::kept_depth)
            result_.kept_.emplace(object.begin, JsonText::Kept { std::move(object.members), at_ });
        open_.pop_back();
    }

    void refuse_duplicates(const Members& members)
    {
        std::vector<std::string_view> names;
        for(const auto& member : members)
            names.push_back(member.name);
        std::sort(names.begin(), names.end());
        if(std::adjacent_find(names.begin(), names.end()) != names.end())
            fail("each name once in an object", "an object that ends here and has a name twice");
    }

    void name()
    {
        if(peek() != '"')
            fail("a name in double quotes");
        const auto begin = at_ + 1;
        string();
        auto name = unescaped(text_.substr(begin, at_ - 1 - begin));
        skip_space();
        if(peek() != ':')
            fail("a colon");
        ++at_;
        skip_space();
        open_.back().members.push_back({ std::move(name), at_ });
    }

    void scalar()
    {
        const char c = peek();
        if(c == '"')
            return string();
        if(c == '-' || is_digit(c))
            return number();
        for(const std::string_view word : { "null", "true", "false" })
            if(text_.substr(at_, word.size()) == word)
            {
                at_ += word.size();
                return;
            }
        fail("a JSON value");
    }

    void string()
    {
        ++at_;
        while(peek() != '"')
        {
            const auto length = at_ == text_.size() ? 0 : utf8_length(text_.substr(at_));
            if(length == 0)
                fail(at_ == text_.size() ? "the end of a string" : "UTF-8");
            if(static_cast<uint8_t>(text_[at_]) < 0x20)
                fail("no control character in a string");
            at_ += length;
            if(text_[at_ - length] == '\\')
                escape();
        }
        ++at_;
    }

    void escape()
    {
        static constexpr std::string_view letters = "\"\\/bfnrt";
        static constexpr auto is_hex = [](char c)
        { return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); };
        if(peek() == 'u')
        {
            const auto digits = text_.substr(at_ + 1, 4);
            if(digits.size() != 4 || !std::all_of(digits.begin(), digits.end(), is_hex))
                fail("four hexadecimal digits behind \\u");
            at_ += 5;
        }
        else if(at_ < text_.size() && letters.find(text_[at_]) != std::string_view::npos)
            ++at_;
        else
            fail("one of \" \\ / b f n r t u behind a backslash");
    }

    void number()
    {
        if(peek() == '-')
            ++at_;
        if(peek() == '0')
            ++at_;
        else
            digits();
        if(peek() == '.')
        {
            ++at_;
            digits();
        }
        if(peek() == 'e' || peek() == 'E')
        {
            ++at_;
            if(peek() == '+' || peek() == '-')
                ++at_;
            digits();
        }
    }

    void digits()
    {
        if(!is_digit(peek()))
            fail("a digit");
        auto at = at_ + 1; // not at_ itself, which would be written to memory for each digit
        while(at < text_.size() && is_digit(text_[at]))
            ++at;
        at_ = at;
    }

    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

    void skip_space()
    {
        while(is_space(peek()))
            ++at_;
    }

    [[noreturn]] void fail(std::string expected, std::string found = {})
    {
        static constexpr char hex[] = "0123456789abcdef";
        if(found.empty() && at_ == text_.size())
            found = "the end of the text";
        else if(found.empty())
        {
            const auto c = static_cast<uint8_t>(text_[at_]);
            found = c > 0x20 && c < 0x7f ? std::string { static_cast<char>(c) }
                                         : std::string { "the byte 0x" } + hex[c >> 4] + hex[c & 15];
        }
        throw SyntaxFault { at_, std::move(expected), std::move(found) };
    }

    std::string_view text_;
    Place at_ = 0;
    std::vector<Open> open_;
    JsonText result_;
};

std::variant<JsonText, SyntaxFault> JsonText::check(std::string_view text)
{
    try
    {
        return JsonChecker { text }.run();
    }
    catch(SyntaxFault& fault)
    {
        return std::move(fault);
    }
}

char JsonText::kind(Place value) const
{
    const char c = text_[value];
    return c == '-' || is_digit(c) ? '0' : c;
}

Place JsonText::skip_space(Place place) const
{
    while(is_space(text_[place]))
        ++place;
    return place;
}

std::optional<Place> JsonText::first(Place array) const
{
    const auto place = skip_space(array + 1);
    return text_[place] == ']' ? std::nullopt : std::optional { place };
}

std::optional<Place> JsonText::next(Place end) const
{
    const auto place = skip_space(end);
    return text_[place] == ',' ? std::optional { skip_space(place + 1) } : std::nullopt;
}

Place JsonText::end(Place value) const
{
    if(kind(value) == '0')
        return value + number(value).size();
    if(const auto kept = kept_.find(value); kept != kept_.end())
        return kept->second.end;
    size_t depth = 0;
    for(auto place = value;; ++place)
    {
        const char c = text_[place];
        if(c == '"')
            for(++place; text_[place] != '"'; ++place)
                place += text_[place] == '\\';
        else if(c == '[' || c == '{')
            ++depth;
        else if(c == ']' || c == '}')
            --depth;
        else if(depth == 0)
            return value + (c == 'f' ? 5 : 4); // false, true, null
        if(depth == 0)
            return place + 1;
    }
}

std::string_view JsonText::number(Place value) const
{
    const auto rest = this->rest(value);
    return rest.substr(0, rest.find_first_not_of("0123456789+-.eE"));
}

std::string JsonText::string(Place value) const
{
    return unescaped(text_.substr(value + 1, end(value) - value - 2));
}

size_t JsonText::count(Place container) const
{
    size_t elements = 0;
    const auto opening = text_[container];
    auto place = skip_space(container + 1);
    if(text_[place] == (opening == '[' ? ']' : '}'))
        return 0;
    for(std::optional<Place> element = place; element; element = next(place))
    {
        place = end(*element);
        if(opening == '{')
            place = end(skip_space(skip_space(place) + 1)); // behind the name and its colon
        ++elements;
    }
    return elements;
}

} // namespace rtconform::format
