// The fields of a request, taken out one by one and checked; and arrays on the wire.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace rtc::host {

using Json = nlohmann::json;

// The range of model ids and other numbers without a limit of their own.
constexpr std::uint64_t max_id = ~std::uint64_t{0} >> 1;

// A request that can't be carried out as it stands: the sender's mistake. Answered with the phase "internal".
class BadRequest : public std::invalid_argument {
public:
    using std::invalid_argument::invalid_argument;
};

// [frames, channels] of float32, row-major.
struct Array {
    std::size_t frames = 0;
    std::size_t channels = 0;
    std::vector<float> values;

    const float* row(std::size_t frame) const { return values.data() + frame * channels; }
};

// All of these throw BadRequest, naming the field, what was expected and what was found. `where` is the field's
// object as the message shall call it, such as "load" or "flow[1].inputs[0]".
const Json& field(const Json& object, const std::string& where, const char* name);
std::string string_field(const Json& object, const std::string& where, const char* name);
std::uint64_t integer_field(const Json& object, const std::string& where, const char* name, std::uint64_t min,
                            std::uint64_t max);
const Json& list_field(const Json& object, const std::string& where, const char* name);
std::vector<std::uint64_t> integers_field(const Json& object, const std::string& where, const char* name,
                                          std::uint64_t min, std::uint64_t max);
const Json& object_field(const Json& object, const std::string& where, const char* name);
Array array_field(const Json& object, const std::string& where, const char* name);

// Refuses any field that isn't listed.
void only_fields(const Json& object, const std::string& where, const std::vector<const char*>& known);

bool bool_field(const Json& object, const std::string& where, const char* name);

// {"shape": [frames, channels], "data": base64 of little-endian float32}
Json array_to_json(const float* values, std::size_t frames, std::size_t channels);

// The same of little-endian unsigned integers of 64 bits; as many rows as there are.
Json integers_to_json(const std::vector<std::uint64_t>& values, std::size_t columns = 1);

}  // namespace rtc::host
