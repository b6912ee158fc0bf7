#include "raw_layer.h"

#include "numbers.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace rtconform::format
{

static constexpr size_t most_faults = 100;

/** Printable ASCII in quotes; of anything else a question mark. */
static std::string quoted(std::string_view text)
{
    std::string shown { text.substr(0, 40) };
    for(auto& c : shown)
        if(c < 0x20 || c > 0x7e)
            c = '?';
    return '"' + shown + (text.size() > 40 ? "...\"" : "\"");
}

/** The value of a JSON integer; -1 for anything else, and for what no int64 holds. */
static int64_t whole_number(const Json& json, Value value)
{
    if(json.kind(value) != '0')
        return -1;
    const auto text = json.text(value);
    int64_t number = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
    return result.ec == std::errc {} && result.ptr == text.data() + text.size() ? number : -1;
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

void Findings::add(std::string json_path, const std::string& expected, std::optional<Value> found)
{
    add(std::move(json_path), expected, describe(found));
}

std::string Findings::describe(std::optional<Value> value) const
{
    if(!value)
        return "no such key";
    switch(json.kind(*value))
    {
    case '"':
        return "the text " + quoted(json.text(*value));
    case '0':
        return std::string { json.text(*value).substr(0, 40) };
    case '{':
        return "an object";
    case '[':
        return json.count(*value) != 0 ? "an array of " + lengths(first_lengths(*value)) : "an empty array";
    default:
        return json.kind(*value) == 'n' ? "null" : json.kind(*value) == 't' ? "true" : "false";
    }
}

std::vector<size_t> Findings::first_lengths(Value value) const
{
    std::vector<size_t> shape;
    for(std::optional<Value> level = value; level && json.kind(*level) == '['; level = json.first(*level))
        shape.push_back(json.count(*level));
    return shape;
}

uint32_t size_of(std::optional<Value> shape, const std::string& path, Findings& findings)
{
    const auto& json = findings.json;
    std::vector<Value> entries;
    if(shape && json.kind(*shape) == '[')
        entries = json.elements(*shape);
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
        const bool is_integer = kind == '0' && json.text(entries[i]).find_first_of(".eE") == std::string_view::npos;
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

RawLayer::RawLayer(Value object, std::string path, uint32_t input, uint32_t output, Findings& findings)
    : input_size { input }
    , output_size { output }
    , object_ { object }
    , path_ { std::move(path) }
    , findings_ { findings }
    , read_ { "type", "shape", "weights" }
{
}

std::optional<Value> RawLayer::find(const std::string& key)
{
    read_.insert(key);
    return json().member(object_, key);
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
    const auto type = value && json().kind(*value) == '"' ? json().text(*value) : std::string_view {};
    for(const auto* name : { "dense", "time-distributed-dense", "conv1d", "conv2d", "gru", "lstm", "prelu", "batchnorm",
            "batchnorm2d", "activation" })
        if(type == name)
            return name;
    findings_.add(path_ + ".type", known, value);
    return {};
}

uint32_t RawLayer::size_at(const char* key, std::optional<Value> value)
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
    if(value && json().kind(*value) == '[' && json().count(*value) != 0)
        value = json().elements(*value).back();
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
        if(const auto number = nearest_double(json().text(*value)); number && *number >= 0)
            if(const auto epsilon = static_cast<float>(*number); epsilon <= std::numeric_limits<float>::max())
                return epsilon;
    findings_.add(path_ + ".epsilon", "a number of at least 0, such as 1e-05", value);
    return 0;
}

bool RawLayer::same_padding()
{
    const auto value = find("padding");
    const auto padding = value && json().kind(*value) == '"' ? json().text(*value) : std::string_view {};
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
            if(json().text(*value) == name && (may_be_none || activation != Activation::none))
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
    const auto name = json().kind(*value) == '"' ? json().text(*value) : "?";
    const auto kind = type();
    // Keras writes the cell's own activation, which changes nothing.
    if(!name.empty() && !(name == "tanh" && (kind == "lstm" || kind == "gru")))
        findings_.add(path_ + ".activation", "\"\" or nothing: a " + kind + " layer has no activation", value);
}

std::vector<Value> RawLayer::weights(std::initializer_list<size_t> counts, const char* meaning)
{
    const auto value = find("weights");
    std::vector<Value> elements;
    if(value && json().kind(*value) == '[')
    {
        elements = json().elements(*value);
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
    const std::vector<Value>& weights, size_t index, std::initializer_list<uint32_t> shape, const char* axes)
{
    if(weights.empty() || std::find(shape.begin(), shape.end(), 0u) != shape.end())
        return {};
    const auto array = weights[index];
    const auto misfit = this->misfit(array, shape.begin(), shape.size());
    if(!misfit)
        return findings_.json.take_floats(array);
    auto path = path_ + ".weights[" + std::to_string(index) + ']';
    // Where the array as a whole has another shape, that says more than its first row does.
    const std::vector<size_t> expected_shape { shape.begin(), shape.end() };
    const auto found = findings_.first_lengths(array);
    if(misfit->indices.empty() || found != expected_shape)
        findings_.add(path, "an array of " + lengths(expected_shape) + " (" + axes + ")", array);
    else
    {
        for(const auto i : misfit->indices)
            path += '[' + std::to_string(i) + ']';
        findings_.add(path, misfit->expected, misfit->found);
    }
    return {};
}

std::optional<RawLayer::Misfit> RawLayer::misfit(Value value, const uint32_t* shape, size_t depth) const
{
    const auto other_shape = [&]
    { return Misfit { {}, "an array of " + lengths({ shape, shape + depth }), value }; };
    if(json().kind(value) != '[')
        return other_shape();
    if(depth == 1)
    {
        const auto floats = json().leading_floats(value);
        if(floats < std::min<size_t>(json().count(value), shape[0]))
        {
            const auto other = json().elements(value)[floats == 0 ? 0 : 1];
            const bool is_number = json().kind(other) == '0';
            return Misfit { { floats },
                is_number ? "a number that float32 can hold (up to 3.4028235e38)" : "a number", other };
        }
    }
    else
    {
        size_t index = 0;
        for(const auto element : json().elements(value))
        {
            if(index == shape[0])
                break;
            if(auto inner = misfit(element, shape + 1, depth - 1))
            {
                inner->indices.insert(inner->indices.begin(), index);
                return inner;
            }
            ++index;
        }
    }
    return json().count(value) == shape[0] ? std::nullopt : std::optional { other_shape() };
}

void RawLayer::refuse_lost_keys()
{
    const auto is_number = [this](Value value, double wanted)
    { return json().kind(value) == '0' && nearest_double(json().text(value)) == wanted; };
    const auto is_one = [this](Value value)
    {
        if(json().kind(value) != '[')
            return whole_number(json(), value) == 1;
        return json().count(value) == 1 && whole_number(json(), *json().first(value)) == 1;
    };
    for(const auto& [name, value] : json().members(object_))
    {
        const std::string key { name };
        if(read_.count(key) != 0)
            continue;
        std::string neutral;
        if(key == "alpha" && !is_number(value, 1))
            neutral = "1";
        else if((key == "bidirectional" || key == "go_backwards") && json().kind(value) != 'f')
            neutral = "false";
        else if(key == "padding" && !(json().kind(value) == '"' && json().text(value) == "causal"))
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
