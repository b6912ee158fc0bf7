#include "trainer_output.h"

#include "json.h"
#include "json_string.h"
#include "numbers.h"

#include <algorithm>
#include <charconv>

namespace rtconform::plugin
{

namespace
{

using format::Json;
using format::Value;

/** The text with '?' for each byte that is no UTF-8, and for control characters, which no user can read. */
std::string readable(std::string_view text)
{
    std::string result;
    for(size_t i = 0; i < text.size();)
    {
        const auto length = format::utf8_length(text.substr(i));
        const bool is_shown = length > 1 || text[i] == '\t' || (length == 1 && text[i] >= 0x20 && text[i] != 0x7f);
        result += is_shown ? text.substr(i, length) : "?";
        i += std::max<size_t>(length, 1);
    }
    return result;
}

std::optional<double> number_at(const Json& json, std::optional<Value> value)
{
    return value && json.kind(*value) == '0' ? format::nearest_double(json.text(*value)) : std::nullopt;
}

std::optional<uint64_t> whole_number_at(const Json& json, std::optional<Value> value)
{
    if(!value || json.kind(*value) != '0')
        return {};
    const auto text = json.text(*value);
    uint64_t number = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
    return result.ec == std::errc {} && result.ptr == text.data() + text.size() ? std::optional { number } : std::nullopt;
}

} // namespace

void LineCutter::take(std::string_view piece, const std::function<void(std::string_view)>& on_line)
{
    while(!piece.empty())
    {
        const auto end = piece.find('\n');
        const auto part = piece.substr(0, end);
        line_ += part.substr(0, max_bytes - line_.size());
        if(end == std::string_view::npos)
            return;
        on_line(line_);
        line_.clear();
        piece.remove_prefix(end + 1);
    }
}

void LineCutter::finish(const std::function<void(std::string_view)>& on_line)
{
    if(!line_.empty())
        on_line(line_);
    line_.clear();
}

std::optional<TrainingProgress> progress_in(std::string_view line)
{
    const auto read = Json::read(format::TextWindow { line });
    const auto* json = std::get_if<Json>(&read);
    if(json == nullptr || json->kind(json->root) != '{')
        return {};
    const auto member = [json](std::string_view name)
    { return json->member(json->root, name); };
    const auto epoch = whole_number_at(*json, member("epoch"));
    const auto loss = number_at(*json, member("loss"));
    if(!epoch || !loss)
        return {};
    const auto model = member("model");
    const bool has_name = model && json->kind(*model) == '"';
    return TrainingProgress { has_name ? readable(json->text(*model)) : "", *epoch, *loss,
        number_at(*json, member("validation_loss")) };
}

void Log::add(std::string_view line)
{
    if(!line.empty() && line.back() == '\r')
        line.remove_suffix(1);
    lines_.push_back(readable(line.substr(0, max_bytes)));
    if(lines_.size() > max_lines_)
        lines_.pop_front();
}

} // namespace rtconform::plugin
