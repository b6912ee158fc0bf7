#include "raw_layer.h"

#include "numbers.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace rtconform::format
{

static constexpr size_t most_faults = 100;

/** Printable ASCII in quotes; of anything else a question mark. */
static std::string quoted(const std::string& text)
{
    auto shown = text.substr(0, 40);
    for(auto& c : shown)
        if(c < 0x20 || c > 0x7e)
            c = '?';
    return '"' + shown + (text.size() > 40 ? "...\"" : "\"");
}

/** The value of a JSON integer; -1 for anything else, and for what no int64 holds. */
static int64_t whole_number(const JsonText& json, Place place)
{
    if(json.kind(place) != '0')
        return -1;
    const auto number = json.number(place);
    int64_t value = 0;
    const auto result = std::from_chars(number.data(), number.data() + number.size(), value);
    return result.ec == std::errc {} && result.ptr == number.data() + number.size() ? value : -1;
}

/** Lengths of the outermost array, its first element, and so on: "[3][20]", or "20 numbers". */
static std::string lengths(const std::vector<size_t>& shape)
{
    if(shape.size() == 1)
        return std::to_string(shape[0]) + (shape[0] == 1 ? " number" : " numbers");
    std::string text;
    for(const auto length : shape)
        text += '[' + std::to_string(length) + ']';
    return text;
}

void Findings::add(std::string json_path, const std::string& expected, const std::string& found)
{
    if(faults.size() < most_faults)
        faults.push_back({ Phase::validate, std::move(json_path), "expected " + expected + ", found " + found });
}

void Findings::add(std::string json_path, const std::string& expected, std::optional<Place> found)
{
    add(std::move(json_path), expected, describe(found));
}

std::string Findings::describe(std::optional<Place> value) const
{
    if(!value)
        return "no such key";
    switch(json.kind(*value))
    {
    case '"':
        return "the text " + quoted(json.string(*value));
    case '0':
        return std::string { json.number(*value).substr(0, 40) };
    case '{':
        return "an object";
    case '[':
        return json.first(*value) ? "an array of " + lengths(first_lengths(*value)) : "an empty array";
    default:
        return json.kind(*value) == 'n' ? "null" : json.kind(*value) == 't' ? "true" : "false";
    }
}

std::vector<size_t> Findings::first_lengths(Place value) const
{
    std::vector<size_t> shape;
    for(std::optional<Place> level = value; level && json.kind(*level) == '['; level = json.first(*level))
        shape.push_back(json.count(*level));
    return shape;
}

uint32_t size_of(std::optional<Place> shape, const std::string& path, Findings& findings)
{
    const auto& json = findings.json;
    std::vector<Place> entries;
    if(shape && json.kind(*shape) == '[')
        for(auto entry = json.first(*shape); entry; entry = json.next(json.end(*entry)))
            entries.push_back(*entry);
    if(entries.empty())
    {
        findings.add(path, "an array that ends in the size, such as [null, null, 3]", shape);
        return 0;
    }
    const auto before = findings.faults.size();
    uint64_t size = 1;
    for(size_t i = 0; i < entries.size(); ++i)
    {
        const auto place = path + '[' + std::to_string(i) + ']';
        const auto kind = json.kind(entries[i]);
        const auto whole = whole_number(json, entries[i]);
        const bool is_integer = kind == '0' && json.number(entries[i]).find_first_of(".eE") == std::string_view::npos;
        if(entries.size() == 4 ? i < 2 : i + 1 < entries.size())
        {
            if(kind != 'n' && !is_integer)
                findings.add(place, "null or a whole number", entries[i]);
        }
        else if(whole < 1 || whole > max_size)
            findings.add(place, "a whole number from 1 to " + std::to_string(max_size), entries[i]);
        else
            size *= static_cast<uint64_t>(whole);
    }
    if(size > max_size)
        findings.add(path, "a size of at most " + std::to_string(max_size), std::to_string(size));
    return findings.faults.size() == before ? static_cast<uint32_t>(size) : 0;
}

RawLayer::RawLayer(Place object, std::string path, uint32_t input, uint32_t output, Findings& findings)
    : input_size { input }
    , output_size { output }
    , object_ { object }
    , path_ { std::move(path) }
    , findings_ { findings }
    , read_ { "type", "shape", "weights" }
{
}

std::optional<Place> RawLayer::find(const std::string& key)
{
    read_.insert(key);
    for(const auto& member : json().members(object_))
        if(member.name == key)
            return member.value;
    return {};
}

void RawLayer::fault(const std::string& key, const std::string& expected, const std::string& found)
{
    findings_.add(path_ + '.' + key, expected, found);
}

std::string RawLayer::type()
{
    static constexpr const char* known = "one of dense, time-distributed-dense, conv1d, conv2d, gru, lstm, prelu, "
                                         "batchnorm, batchnorm2d, activation";
    const auto value = find("type");
    const auto type = value && json().kind(*value) == '"' ? json().string(*value) : std::string {};
    for(const auto* name : { "dense", "time-distributed-dense", "conv1d", "conv2d", "gru", "lstm", "prelu", "batchnorm",
            "batchnorm2d", "activation" })
        if(type == name)
            return type;
    findings_.add(path_ + ".type", known, value);
    return {};
}

uint32_t RawLayer::size_at(const char* key, std::optional<Place> value)
{
    const auto whole = value ? whole_number(json(), *value) : -1;
    if(whole >= 1 && whole <= max_size)
        return static_cast<uint32_t>(whole);
    findings_.add(path_ + '.' + key, "a whole number from 1 to " + std::to_string(max_size), value);
    return 0;
}

uint32_t RawLayer::size(const char* key)
{
    auto value = find(key);
    if(value && json().kind(*value) == '[')
        for(auto entry = json().first(*value); entry; entry = json().next(json().end(*entry)))
            value = entry;
    return size_at(key, value);
}

uint32_t RawLayer::size_or_one(const char* key)
{
    const auto value = find(key);
    return value ? size_at(key, value) : 1;
}

float RawLayer::epsilon()
{
    const auto value = find("epsilon");
    if(value && json().kind(*value) == '0')
        if(const auto number = nearest_double(json().number(*value)); number && *number >= 0)
            if(const auto epsilon = static_cast<float>(*number); epsilon <= std::numeric_limits<float>::max())
                return epsilon;
    findings_.add(path_ + ".epsilon", "a number of at least 0, such as 1e-05", value);
    return 0;
}

bool RawLayer::same_padding()
{
    const auto value = find("padding");
    const auto padding = value && json().kind(*value) == '"' ? json().string(*value) : std::string {};
    if(padding != "same" && padding != "valid")
        findings_.add(path_ + ".padding", "\"valid\" or \"same\"", value);
    return padding == "same";
}

Activation RawLayer::activation(bool may_be_none)
{
    static constexpr std::pair<const char*, Activation> known[] { { "", Activation::none }, { "tanh", Activation::tanh },
        { "relu", Activation::relu }, { "sigmoid", Activation::sigmoid }, { "softmax", Activation::softmax },
        { "elu", Activation::elu } };
    const auto value = find("activation");
    if(!value && may_be_none)
        return Activation::none;
    if(value && json().kind(*value) == '"')
        for(const auto& [name, activation] : known)
            if(json().string(*value) == name && (may_be_none || activation != Activation::none))
                return activation;
    const std::string expected = "one of tanh, relu, sigmoid, softmax, elu";
    findings_.add(path_ + ".activation", may_be_none ? expected + ", or \"\"" : expected, value);
    return Activation::none;
}

void RawLayer::no_activation()
{
    const auto value = find("activation");
    if(!value)
        return;
    const auto name = json().kind(*value) == '"' ? json().string(*value) : "?";
    const auto kind = type();
    // Keras writes the cell's own activation, which changes nothing.
    if(!name.empty() && !(name == "tanh" && (kind == "lstm" || kind == "gru")))
        findings_.add(path_ + ".activation", "\"\" or nothing: a " + kind + " layer has no activation", value);
}

std::vector<Place> RawLayer::weights(std::initializer_list<size_t> counts, const char* meaning)
{
    const auto value = find("weights");
    std::vector<Place> elements;
    if(value && json().kind(*value) == '[')
    {
        for(auto element = json().first(*value); element; element = json().next(json().end(*element)))
            elements.push_back(*element);
        if(std::find(counts.begin(), counts.end(), elements.size()) != counts.end())
            return elements;
    }
    std::string expected;
    for(const auto count : counts)
        expected += (expected.empty() ? "an array of " : " or ") + std::to_string(count);
    const bool is_array = value && json().kind(*value) == '[';
    fault("weights", expected + ": " + meaning,
        is_array ? "an array of " + std::to_string(elements.size()) : findings_.describe(value));
    return {};
}

std::vector<float> RawLayer::array(
    const std::vector<Place>& weights, size_t index, std::initializer_list<uint32_t> shape, const char* axes)
{
    if(weights.empty() || std::find(shape.begin(), shape.end(), 0u) != shape.end())
        return {};
    // A number and a comma take two bytes, so that the text bounds what a hostile shape can ask for.
    uint64_t numbers_left = (json().end(weights[index]) - weights[index]) / 2 + 1;
    for(const auto length : shape)
        numbers_left = std::min<uint64_t>(numbers_left, UINT64_MAX / length);
    uint64_t expected = 1;
    for(const auto length : shape)
        expected = std::min<uint64_t>(expected * length, numbers_left);
    std::vector<float> numbers;
    numbers.reserve(expected);
    Misfit misfit;
    if(rows(weights[index], shape.begin(), shape.size(), numbers, misfit))
        return numbers;
    auto path = path_ + ".weights[" + std::to_string(index) + ']';
    // Where the array as a whole has another shape, that says more than its first row does.
    const std::vector<size_t> expected_shape { shape.begin(), shape.end() };
    const auto found = findings_.first_lengths(weights[index]);
    if(misfit.indices.empty() || found != expected_shape)
        findings_.add(path, "an array of " + lengths(expected_shape) + " (" + axes + ")", weights[index]);
    else
    {
        for(const auto i : misfit.indices)
            path += '[' + std::to_string(i) + ']';
        findings_.add(path, misfit.expected, misfit.place);
    }
    return {};
}

std::optional<Place> RawLayer::rows(
    Place value, const uint32_t* shape, size_t depth, std::vector<float>& numbers, Misfit& misfit)
{
    if(depth == 0)
    {
        const bool is_number = json().kind(value) == '0';
        const auto number = is_number ? read_float(json().rest(value)) : ReadFloat {};
        if(number.length != 0)
        {
            numbers.push_back(number.value);
            return value + number.length;
        }
        misfit.expected = is_number ? "a number that float32 can hold (up to 3.4028235e38)" : "a number";
        misfit.place = value;
        return {};
    }
    uint32_t count = 0;
    auto end = value;
    if(json().kind(value) == '[')
        for(auto element = json().first(value); element && count < shape[0]; ++count)
        {
            const auto behind = rows(*element, shape + 1, depth - 1, numbers, misfit);
            if(!behind)
            {
                misfit.indices.insert(misfit.indices.begin(), count);
                return {};
            }
            end = *behind;
            element = json().next(end);
        }
    if(count < shape[0] || json().next(end))
    {
        misfit.expected = "an array of " + lengths({ shape, shape + depth });
        misfit.place = value;
        return {};
    }
    return json().closed(end);
}

void RawLayer::refuse_lost_keys()
{
    const auto is_number = [this](Place value, double wanted)
    { return json().kind(value) == '0' && nearest_double(json().number(value)) == wanted; };
    const auto is_one = [&](Place value)
    {
        if(json().kind(value) != '[')
            return whole_number(json(), value) == 1;
        const auto first = json().first(value);
        const bool fits = first && !json().next(json().end(*first));
        return fits && whole_number(json(), *first) == 1;
    };
    for(const auto& [key, value] : json().members(object_))
    {
        if(read_.count(key) != 0)
            continue;
        std::string neutral;
        if(key == "alpha" && !is_number(value, 1))
            neutral = "1";
        else if((key == "bidirectional" || key == "go_backwards") && json().kind(value) != 'f')
            neutral = "false";
        else if(key == "padding" && !(json().kind(value) == '"' && json().string(value) == "causal"))
            neutral = "\"causal\"";
        else if(key == "proj_size" && whole_number(json(), value) != 0)
            neutral = "0";
        else if((key == "stride" || key == "strides") && !is_one(value))
            neutral = "1";
        else if(key == "use_bias" && json().kind(value) != 't')
            neutral = "true";
        if(!neutral.empty())
            findings_.add(path_ + '.' + key,
                "nothing, or " + neutral + ", since this type of layer has no place for it", std::optional { value });
    }
}

} // namespace rtconform::format
