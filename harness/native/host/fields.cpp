#include "fields.h"

#include <algorithm>
#include <cstring>

#include "base64.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "arrays travel in little-endian order");

namespace rtc::host {
namespace {

// Keeps frames * channels * 4 far from overflow.
constexpr std::uint64_t max_extent = std::uint64_t{1} << 28;

[[noreturn]] void bad(const std::string& where, const char* name, const std::string& expected,
                      const std::string& found) {
    throw BadRequest("Field \"" + std::string(name) + "\" of " + where + ": expected " + expected + ", found " + found +
                     ".");
}

// A value as a message shows it: whole if short and flat, else its type. (Writing out a value that is nested ten
// thousand deep would exhaust the stack.)
std::string shown(const Json& value) {
    constexpr std::size_t longest = 60;
    const std::string type = "a value of type " + std::string(value.type_name());
    const auto structured = [](const Json& each) { return each.is_structured(); };
    const bool nested = value.is_structured() && std::any_of(value.begin(), value.end(), structured);
    if (nested || value.size() > longest) return type;
    const std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
    return text.size() <= longest ? text : type;
}

std::uint64_t integer(const Json& value, const std::string& where, const char* name, std::uint64_t min,
                      std::uint64_t max) {
    const std::string expected = "an integer from " + std::to_string(min) + " to " + std::to_string(max);
    if (!value.is_number_unsigned()) bad(where, name, expected, shown(value));
    const auto number = value.get<std::uint64_t>();
    if (number < min || number > max) bad(where, name, expected, std::to_string(number));
    return number;
}

}  // namespace

const Json& field(const Json& object, const std::string& where, const char* name) {
    const auto found = object.find(name);
    if (found == object.end()) throw BadRequest("Field \"" + std::string(name) + "\" of " + where + " is missing.");
    return *found;
}

std::string string_field(const Json& object, const std::string& where, const char* name) {
    const Json& value = field(object, where, name);
    if (!value.is_string()) bad(where, name, "a string", shown(value));
    auto text = value.get<std::string>();
    if (text.empty()) bad(where, name, "a string that isn't empty", "\"\"");
    if (text.find('\0') != std::string::npos) bad(where, name, "a string without NUL characters", "one with");
    return text;
}

std::uint64_t integer_field(const Json& object, const std::string& where, const char* name, std::uint64_t min,
                            std::uint64_t max) {
    return integer(field(object, where, name), where, name, min, max);
}

const Json& list_field(const Json& object, const std::string& where, const char* name) {
    const Json& value = field(object, where, name);
    if (!value.is_array() || value.empty()) bad(where, name, "a list that isn't empty", shown(value));
    return value;
}

std::vector<std::uint64_t> integers_field(const Json& object, const std::string& where, const char* name,
                                          std::uint64_t min, std::uint64_t max) {
    std::vector<std::uint64_t> integers;
    for (const Json& value : list_field(object, where, name)) integers.push_back(integer(value, where, name, min, max));
    return integers;
}

const Json& object_field(const Json& object, const std::string& where, const char* name) {
    const Json& value = field(object, where, name);
    if (!value.is_object()) bad(where, name, "an object", shown(value));
    return value;
}

Array array_field(const Json& object, const std::string& where, const char* name) {
    const Json& value = object_field(object, where, name);
    const std::string here = "\"" + std::string(name) + "\" of " + where;
    only_fields(value, here, {"shape", "data"});
    const Json& shape = list_field(value, here, "shape");
    const auto is_extent = [](const Json& extent) {
        return extent.is_number_unsigned() && extent.get<std::uint64_t>() <= max_extent;
    };
    if (shape.size() != 2 || !std::all_of(shape.begin(), shape.end(), is_extent))
        bad(here, "shape", "[frames, channels]", shown(shape));
    const Json& data = field(value, here, "data");
    if (!data.is_string()) bad(here, "data", "base64 text", shown(data));
    std::vector<std::uint8_t> bytes;
    try {
        bytes = base64::decode(data.get_ref<const std::string&>());
    } catch (const std::invalid_argument& error) {
        throw BadRequest("Field \"data\" of " + here + ": " + error.what() + ".");
    }
    Array array;
    array.frames = shape[0].get<std::size_t>();
    array.channels = shape[1].get<std::size_t>();
    const std::size_t expected = array.frames * array.channels * sizeof(float);
    if (bytes.size() != expected)
        bad(here, "data", std::to_string(expected) + " bytes for the shape " + shape.dump(),
            std::to_string(bytes.size()) + " bytes");
    array.values.resize(array.frames * array.channels);
    if (!bytes.empty()) std::memcpy(array.values.data(), bytes.data(), bytes.size());
    return array;
}

void only_fields(const Json& object, const std::string& where, const std::vector<const char*>& known) {
    for (const auto& [name, value] : object.items()) {
        if (std::find(known.begin(), known.end(), name) != known.end()) continue;
        std::string list;
        for (const char* each : known) list += (list.empty() ? "\"" : ", \"") + std::string(each) + "\"";
        throw BadRequest("Unknown field \"" + name + "\" of " + where + "; known are " + list + ".");
    }
}

bool bool_field(const Json& object, const std::string& where, const char* name) {
    const Json& value = field(object, where, name);
    if (!value.is_boolean()) bad(where, name, "true or false", shown(value));
    return value.get<bool>();
}

Json array_to_json(const float* values, std::size_t frames, std::size_t channels) {
    return {{"shape", {frames, channels}}, {"data", base64::encode(values, frames * channels * sizeof(float))}};
}

Json integers_to_json(const std::vector<std::uint64_t>& values, std::size_t columns) {
    return {{"shape", {values.size() / columns, columns}},
            {"data", base64::encode(values.data(), values.size() * sizeof(std::uint64_t))}};
}

}  // namespace rtc::host
