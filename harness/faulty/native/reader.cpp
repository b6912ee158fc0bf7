#include "reader.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>

namespace rtc_faulty {
namespace {

[[noreturn]] void invalid(const std::string& path, const std::string& message) {
    throw ReadError(RTC_PHASE_VALIDATE, path, message);
}

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

Json parse(const std::string& text, Fault fault) {
    Json json;
    try {
        if (fault == Fault::trailing_accepted) {
            std::istringstream(text) >> json;
            return json;
        }
        // To nlohmann::json a zero byte ends the text.
        if (text.find('\0') != std::string::npos) throw ReadError(RTC_PHASE_PARSE, "", "the file holds a zero byte");
        return Json::parse(text);
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
    const std::string own = layer.value("activation", "");
    if (!own.empty() && (own != "tanh" || fault == Fault::refuses_keras))
        invalid(path + ".activation", "expected none on an lstm");
    LayerSpec spec{LayerKind::lstm, in, out, {}, {}, {}, Activation::none};
    spec.kernel = read_matrix(arrays[0], in, 4 * out, at(weights, 0), fault);
    spec.recurrent = read_matrix(arrays[1], out, 4 * out, at(weights, 1), fault);
    spec.bias = read_vector(arrays[2], 4 * out, at(weights, 2), fault);
    return spec;
}

LayerSpec read_activation_layer(const Json& layer, std::size_t in, std::size_t out, const std::string& path,
                                Fault fault) {
    expect_length(member(layer, path, "weights"), 0, path + ".weights");
    if (in != out) invalid(path + ".shape", "expected the input size " + std::to_string(in));
    const Activation activation = read_activation(layer, path, fault);
    if (activation == Activation::none) invalid(path, "an activation layer needs an activation");
    return {LayerKind::activation, in, out, {}, {}, {}, activation};
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
        const std::size_t out = size_from_shape(layers[i], path, "shape");
        if (type == "dense" || type == "time-distributed-dense")
            model.layers.push_back(read_dense(layers[i], size, out, path, fault));
        else if (type == "lstm")
            model.layers.push_back(read_lstm(layers[i], size, out, path, fault));
        else if (type == "activation")
            model.layers.push_back(read_activation_layer(layers[i], size, out, path, fault));
        else if (fault != Fault::skips_unknown)
            invalid(path + ".type", "unknown layer type " + type.dump());
        else
            continue;
        size = out;
    }
    return model;
}

}  // namespace rtc_faulty
