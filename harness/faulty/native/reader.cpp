#include "reader.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>

namespace rtc_faulty {
namespace {

[[noreturn]] void invalid(const std::string& path, const std::string& message) {
    throw ReadError(RTC_PHASE_VALIDATE, path, message);
}

constexpr std::size_t longest_history = 1 << 20;

std::string at(const std::string& path, std::size_t index) { return path + "[" + std::to_string(index) + "]"; }

// ldr-truncated-accepted: the whole layers in front of the break are taken for the file.
bool parse_whole_layers(const std::string& text, Json& json) {
    std::size_t end = text.size();
    for (int tries = 0; tries < 16 && end != 0; ++tries) {
        end = text.rfind('}', end - 1);
        if (end == std::string::npos) return false;
        json = Json::parse(text.substr(0, end + 1) + "]}", nullptr, false);
        if (!json.is_discarded()) return true;
    }
    return false;
}

// nlohmann::json lets the last of two members of one name win.
Json::parser_callback_t refusing_duplicates(Fault fault) {
    if (fault == Fault::last_key_wins) return nullptr;
    return [names = std::vector<std::set<std::string>>{}](int, Json::parse_event_t event, Json& parsed) mutable {
        if (event == Json::parse_event_t::object_start) names.emplace_back();
        if (event == Json::parse_event_t::object_end) names.pop_back();
        if (event == Json::parse_event_t::key && !names.back().insert(parsed.get<std::string>()).second)
            throw ReadError(RTC_PHASE_PARSE, "", "a name twice: " + parsed.dump());
        return true;
    };
}

Json parse(const std::string& text, Fault fault) {
    Json json;
    try {
        if (fault == Fault::trailing_accepted) {
            std::istringstream(text) >> json;
            return json;
        }
        // To nlohmann::json a zero byte ends the text.
        if (text.find('\0') != std::string::npos) throw ReadError(RTC_PHASE_PARSE, "", "the file holds a zero byte");
        return Json::parse(text, refusing_duplicates(fault));
    } catch (const Json::out_of_range&) {
        invalid("$", "a number is too large for float32");
    } catch (const Json::parse_error& error) {
        const bool cut_off = error.byte > text.size();
        if (fault == Fault::truncated_accepted && cut_off && parse_whole_layers(text, json)) return json;
        throw ReadError(RTC_PHASE_PARSE, "", error.what());
    }
}

const Json& member(const Json& object, const std::string& path, const char* name) {
    const auto found = object.find(name);
    if (found == object.end()) invalid(path, std::string("\"") + name + "\" is missing");
    return *found;
}

std::size_t extent(const Json& value, const std::string& path) {
    constexpr std::uint64_t largest = 1 << 16;
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() < 1 || value.get<std::uint64_t>() > largest)
        invalid(path, "expected an integer from 1 to 65536");
    return value.get<std::size_t>();
}

// The last entry counts, except that four entries mean Conv2D: the product of the last two.
std::size_t size_from_shape(const Json& object, const std::string& path, const char* name) {
    const Json& shape = member(object, path, name);
    const std::string here = path + "." + name;
    if (!shape.is_array() || shape.empty()) invalid(here, "expected a list of sizes");
    const std::size_t last = shape.size() - 1;
    const std::size_t size = extent(shape[last], at(here, last));
    return shape.size() == 4 ? size * extent(shape[2], at(here, 2)) : size;
}

void expect_length(const Json& list, std::size_t length, const std::string& path) {
    if (!list.is_array()) invalid(path, "expected a list of " + std::to_string(length) + " entries");
    if (list.size() != length)
        invalid(path, "expected " + std::to_string(length) + " entries, found " + std::to_string(list.size()));
}

float number(const Json& value, const std::string& path, std::size_t index) {
    if (!value.is_number()) invalid(at(path, index), "expected a number");
    return value.get<float>();
}

std::vector<float> read_vector(const Json& list, std::size_t length, const std::string& path, Fault fault) {
    const bool read_past_end = fault == Fault::short_bias_read && list.is_array() && list.size() < length;
    if (!read_past_end) expect_length(list, length, path);
    std::vector<float> values;
    for (const Json& value : list) values.push_back(number(value, path, values.size()));
    if (!read_past_end) return values;
    const float* volatile unchecked = values.data();
    return {unchecked, unchecked + length};
}

std::vector<float> read_matrix(const Json& rows, std::size_t count, std::size_t width, const std::string& path,
                               Fault fault) {
    std::vector<float> matrix(count * width);
    const bool fill = fault == Fault::zero_fills;
    if (fill && rows.is_null()) return matrix;
    if (!fill || !rows.is_array() || rows.size() > count) expect_length(rows, count, path);
    for (std::size_t r = 0; r < rows.size(); ++r) {
        const std::string here = at(path, r);
        if (!fill || !rows[r].is_array() || rows[r].size() > width) expect_length(rows[r], width, here);
        for (std::size_t c = 0; c < rows[r].size(); ++c) matrix[r * width + c] = number(rows[r][c], here, c);
    }
    return matrix;
}

Activation read_activation(const Json& layer, const std::string& path, Fault fault) {
    struct Named {
        const char* name;
        Activation activation;
    };
    static const Named all[] = {{"", Activation::none},           {"tanh", Activation::tanh},
                                {"relu", Activation::relu},       {"sigmoid", Activation::sigmoid},
                                {"softmax", Activation::softmax}, {"elu", Activation::elu}};
    const auto given = layer.find("activation");
    if (given == layer.end()) return Activation::none;
    if (!given->is_string()) invalid(path + ".activation", "expected a string");
    const Named* volatile found = nullptr;
    for (const Named& each : all)
        if (*given == each.name) found = &each;
    if (found == nullptr && fault != Fault::null_activation)
        invalid(path + ".activation", "unknown activation " + given->dump());
    return found->activation;
}

LayerSpec read_dense(const Json& layer, std::size_t in, std::size_t out, const std::string& path, Fault fault) {
    const std::string weights = path + ".weights";
    const Json& arrays = member(layer, path, "weights");
    expect_length(arrays, 2, weights);
    LayerSpec spec{LayerKind::dense, in, out, {}, {}, {}, read_activation(layer, path, fault)};
    spec.kernel = read_matrix(arrays[0], in, out, at(weights, 0), fault);
    spec.bias = read_vector(arrays[1], out, at(weights, 1), fault);
    return spec;
}

LayerSpec read_lstm(const Json& layer, std::size_t in, std::size_t out, const std::string& path, Fault fault) {
    const std::string weights = path + ".weights";
    const Json& arrays = member(layer, path, "weights");
    expect_length(arrays, 3, weights);
    const Json activation = layer.value("activation", Json(""));
    const bool is_none = activation == "" || (activation == "tanh" && fault != Fault::refuses_keras);
    if (!is_none && fault != Fault::ignores_keys) invalid(path + ".activation", "expected none on an lstm");
    LayerSpec spec{LayerKind::lstm, in, out, {}, {}, {}, Activation::none};
    spec.kernel = read_matrix(arrays[0], in, 4 * out, at(weights, 0), fault);
    spec.recurrent = read_matrix(arrays[1], out, 4 * out, at(weights, 1), fault);
    spec.bias = read_vector(arrays[2], 4 * out, at(weights, 2), fault);
    return spec;
}

// Alone, or as Keras writes it the last entry of a list.
std::size_t whole_number(const Json& layer, const std::string& path, const char* name) {
    const Json& value = member(layer, path, name);
    return extent(value.is_array() && !value.empty() ? value.back() : value, path + "." + name);
}

LayerSpec read_conv1d(const Json& layer, std::size_t in, std::size_t out, const std::string& path, Fault fault) {
    const std::string weights = path + ".weights";
    const Json& arrays = member(layer, path, "weights");
    expect_length(arrays, 2, weights);
    LayerSpec spec{LayerKind::conv1d, in, out, {}, {}, {}, read_activation(layer, path, fault)};
    spec.kernel_size = whole_number(layer, path, "kernel_size");
    spec.dilation = whole_number(layer, path, "dilation");
    if (layer.contains("groups")) spec.groups = extent(layer["groups"], path + ".groups");
    if (in % spec.groups != 0 || out % spec.groups != 0) invalid(path + ".groups", "expected a divisor of both sizes");
    if ((spec.kernel_size - 1) * spec.dilation > longest_history) invalid(path + ".dilation", "too long a history");
    const std::string kernel = at(weights, 0);
    expect_length(arrays[0], spec.kernel_size, kernel);
    for (std::size_t k = 0; k < spec.kernel_size; ++k) {
        const auto tap = read_matrix(arrays[0][k], in / spec.groups, out, at(kernel, k), fault);
        spec.kernel.insert(spec.kernel.end(), tap.begin(), tap.end());
    }
    spec.bias = read_vector(arrays[1], out, at(weights, 1), fault);
    return spec;
}

// A symmetric scale per output channel, to the nearest of so many steps to either side, ties to even: with 127 it is what
// the class i8 says.
void round_to_steps(std::vector<float>& kernel, std::size_t width, float steps) {
    for (std::size_t column = 0; column < width; ++column) {
        float largest = 0.0f;
        for (std::size_t i = column; i < kernel.size(); i += width) largest = std::max(largest, std::abs(kernel[i]));
        const float scale = largest > 0.0f ? largest / steps : 1.0f;
        for (std::size_t i = column; i < kernel.size(); i += width)
            kernel[i] = static_cast<float>(std::nearbyint(double{kernel[i]} / scale) * scale);
    }
}

LayerSpec read_activation_layer(const Json& layer, std::size_t in, std::size_t out, const std::string& path,
                                Fault fault) {
    expect_length(member(layer, path, "weights"), 0, path + ".weights");
    if (in != out) invalid(path + ".shape", "expected the input size " + std::to_string(in));
    const Activation activation = read_activation(layer, path, fault);
    if (activation == Activation::none) invalid(path, "an activation layer needs an activation");
    return {LayerKind::activation, in, out, {}, {}, {}, activation};
}

// Settings of other formats that no layer here has a place for, and what they have to be.
void refuse_lost_keys(const Json& layer, const std::string& path) {
    static const std::map<std::string, std::vector<Json>> neutral = {
        {"alpha", {1u, 1.0f}}, {"bidirectional", {false}},           {"go_backwards", {false}},
        {"padding", {"causal"}}, {"proj_size", {0u}},                {"stride", {1u, Json::array({1})}},
        {"strides", {1u, Json::array({1})}}, {"use_bias", {true}}};
    for (const auto& [key, values] : neutral) {
        const auto found = layer.find(key);
        const auto is_found = [&](const Json& value) { return value.dump() == found->dump(); };
        if (found != layer.end() && std::none_of(values.begin(), values.end(), is_found))
            invalid(path + "." + key, "nothing here can do that: " + found->dump());
    }
}

}  // namespace

Json read_json(const char* path, Fault fault) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw ReadError(RTC_PHASE_READ, "", std::string("the file can't be opened: ") + std::strerror(errno));
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    if (file.bad()) throw ReadError(RTC_PHASE_READ, "", std::string("the file can't be read: ") + std::strerror(errno));
    return parse(text, fault);
}

ModelSpec read_model(const Json& file, Fault fault) {
    if (!file.is_object()) invalid("$", "expected an object");
    ModelSpec model;
    model.input_size = size_from_shape(file, "$", "in_shape");
    const Json& layers = member(file, "$", "layers");
    if (!layers.is_array() || layers.empty()) invalid("$.layers", "expected a list of layers");
    std::size_t size = model.input_size;
    for (std::size_t i = 0; i < layers.size(); ++i) {
        const std::string path = at("$.layers", i);
        if (!layers[i].is_object()) invalid(path, "expected an object");
        const Json& type = member(layers[i], path, "type");
        if (fault != Fault::ignores_keys) refuse_lost_keys(layers[i], path);
        const std::size_t out = size_from_shape(layers[i], path, "shape");
        if (type == "dense" || type == "time-distributed-dense")
            model.layers.push_back(read_dense(layers[i], size, out, path, fault));
        else if (type == "lstm")
            model.layers.push_back(read_lstm(layers[i], size, out, path, fault));
        else if (type == "conv1d")
            model.layers.push_back(read_conv1d(layers[i], size, out, path, fault));
        else if (type == "activation")
            model.layers.push_back(read_activation_layer(layers[i], size, out, path, fault));
        else if (fault != Fault::skips_unknown)
            invalid(path + ".type", "unknown layer type " + type.dump());
        else
            continue;
        if (fault == Fault::hides_in_i8 || fault == Fault::four_bits) {
            const float steps = fault == Fault::four_bits ? 7.0f : 127.0f;
            LayerSpec& layer = model.layers.back();
            round_to_steps(layer.kernel, layer.kind == LayerKind::lstm ? 4 * out : out, steps);
            round_to_steps(layer.recurrent, 4 * out, steps);
        }
        size = out;
    }
    return model;
}

}  // namespace rtc_faulty
