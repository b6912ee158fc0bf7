// One reader per layer type, each checked against the size of the layer in front.
#include "raw_layer.h"

namespace rtconform::format
{

static Layer dense(RawLayer& raw)
{
    const auto activation = raw.activation();
    const auto weights = raw.weights({ 2 }, "kernel [in][out] and bias [out]");
    return Dense { raw.input_size, raw.output_size, raw.array(weights, 0, { raw.input_size, raw.output_size }, "in x out"),
        raw.array(weights, 1, { raw.output_size }, "out"), activation };
}

static void check_history(RawLayer& raw, uint32_t kernel_size, uint32_t dilation)
{
    if(kernel_size != 0 && uint64_t { kernel_size - 1 } * dilation > max_size)
        raw.fault("dilation", "a history of at most " + std::to_string(max_size) + " frames",
            std::to_string(uint64_t { kernel_size - 1 } * dilation));
}

static Layer conv1d(RawLayer& raw)
{
    const auto activation = raw.activation();
    const auto kernel_size = raw.size("kernel_size"), dilation = raw.size("dilation");
    const auto groups = raw.size_or_one("groups");
    auto per_group = groups == 0 ? 0 : raw.input_size / groups;
    for(const auto size : { raw.input_size, raw.output_size })
        if(groups != 0 && size % groups != 0)
        {
            raw.fault("groups", "a divisor of the size " + std::to_string(size), std::to_string(groups));
            per_group = 0;
        }
    check_history(raw, kernel_size, dilation);
    const auto weights = raw.weights({ 2 }, "kernel [K][in / groups][out] and bias [out]");
    return Conv1d { raw.input_size, raw.output_size, kernel_size, dilation, groups,
        raw.array(weights, 0, { kernel_size, per_group, raw.output_size }, "K x in/groups x out"),
        raw.array(weights, 1, { raw.output_size }, "out"), activation };
}

/** num_features_in times num_filters_in has to be the input size. */
static void check_features(RawLayer& raw, uint32_t features, uint32_t filters)
{
    const auto product = uint64_t { features } * filters;
    if(product != 0 && raw.input_size != 0 && product != raw.input_size)
        raw.fault("num_features_in", "num_features_in times num_filters_in = " + std::to_string(raw.input_size),
            std::to_string(product));
}

static Layer conv2d(RawLayer& raw)
{
    Conv2d layer {};
    layer.input_size = raw.input_size;
    layer.output_size = raw.output_size;
    layer.activation = raw.activation();
    layer.kernel_time = raw.size("kernel_size_time");
    layer.kernel_feature = raw.size("kernel_size_feature");
    layer.dilation = raw.size("dilation");
    layer.stride = raw.size("strides");
    layer.filters_in = raw.size("num_filters_in");
    layer.features_in = raw.size("num_features_in");
    layer.filters_out = raw.size("num_filters_out");
    layer.same_padding = raw.same_padding();
    check_features(raw, layer.features_in, layer.filters_in);
    check_history(raw, layer.kernel_time, layer.dilation);
    if(layer.kernel_feature != 0 && layer.features_in != 0 && layer.stride != 0)
    {
        if(!layer.same_padding && layer.kernel_feature > layer.features_in)
            raw.fault("kernel_size_feature", "at most " + std::to_string(layer.features_in) + ", the number of features",
                std::to_string(layer.kernel_feature));
        else
        {
            const auto covered = layer.same_padding ? layer.features_in : layer.features_in - layer.kernel_feature + 1;
            const auto features_out = (covered + layer.stride - 1) / layer.stride;
            const auto size = uint64_t { features_out } * layer.filters_out;
            if(size != 0 && raw.output_size != 0 && size != raw.output_size)
                raw.fault("shape", std::to_string(features_out) + " features times num_filters_out = " + std::to_string(size),
                    std::to_string(raw.output_size));
        }
    }
    const auto weights = raw.weights({ 2 }, "kernel [Kt][Kf][in][out] and bias [out]");
    layer.kernel = raw.array(weights, 0, { layer.kernel_time, layer.kernel_feature, layer.filters_in, layer.filters_out },
        "Kt x Kf x filters in x filters out");
    layer.bias = raw.array(weights, 1, { layer.filters_out }, "filters out");
    return layer;
}

static Layer gru(RawLayer& raw)
{
    raw.no_activation();
    const auto weights = raw.weights({ 3 }, "kernel [in][3H], recurrent kernel [H][3H] and bias [2][3H]");
    const auto width = 3 * raw.output_size;
    return Gru { raw.input_size, raw.output_size, raw.array(weights, 0, { raw.input_size, width }, "in x 3H"),
        raw.array(weights, 1, { raw.output_size, width }, "H x 3H"),
        raw.array(weights, 2, { 2, width }, "input and recurrent bias x 3H") };
}

static Layer lstm(RawLayer& raw)
{
    raw.no_activation();
    const auto weights = raw.weights({ 3 }, "kernel [in][4H], recurrent kernel [H][4H] and bias [4H]");
    const auto width = 4 * raw.output_size;
    return Lstm { raw.input_size, raw.output_size, raw.array(weights, 0, { raw.input_size, width }, "in x 4H"),
        raw.array(weights, 1, { raw.output_size, width }, "H x 4H"), raw.array(weights, 2, { width }, "4H") };
}

static void check_same_size(RawLayer& raw)
{
    if(raw.input_size != 0 && raw.output_size != 0 && raw.input_size != raw.output_size)
        raw.fault("shape", std::to_string(raw.input_size) + ", the size of what comes in", std::to_string(raw.output_size));
}

static Layer prelu(RawLayer& raw)
{
    raw.no_activation();
    check_same_size(raw);
    const auto weights = raw.weights({ 1 }, "[[alpha, ...]]");
    const auto& json = raw.json();
    const bool is_list = !weights.empty() && json.kind(weights[0]) == '[' && json.count(weights[0]) == 1;
    const auto alphas = is_list ? *json.first(weights[0]) : 0;
    const bool shared = is_list && json.kind(alphas) == '[' && json.count(alphas) == 1;
    return Prelu { raw.input_size, raw.output_size,
        raw.array(weights, 0, { 1, shared ? 1 : raw.input_size }, "1 x size, or [1][1] for one shared alpha") };
}

static Layer batchnorm(RawLayer& raw, bool two_dimensional)
{
    raw.no_activation();
    check_same_size(raw);
    BatchNorm layer {};
    layer.input_size = layer.output_size = raw.input_size;
    layer.two_dimensional = two_dimensional;
    layer.epsilon = raw.epsilon();
    layer.filters = two_dimensional ? raw.size_or_one("num_filters_in") : raw.input_size;
    layer.features = two_dimensional ? raw.size_or_one("num_features_in") : 1;
    check_features(raw, layer.features, layer.filters);
    const auto weights = raw.weights({ 4, 2 }, "gamma, beta, mean, variance, or only mean, variance");
    auto arrays = { &layer.gamma, &layer.beta, &layer.mean, &layer.variance };
    for(size_t i = 0; i < weights.size(); ++i)
        *arrays.begin()[4 - weights.size() + i] = raw.array(weights, i, { layer.filters }, "filters");
    for(const auto variance : layer.variance)
        if(double { variance } + double { layer.epsilon } <= 0)
        {
            raw.fault("weights[" + std::to_string(weights.size() - 1) + "]",
                "variance + epsilon above 0, since the layer divides by its root",
                std::to_string(variance) + " (is the order gamma, beta, mean, variance?)");
            break;
        }
    return layer;
}

static Layer activation(RawLayer& raw)
{
    check_same_size(raw);
    const auto kind = raw.activation(false);
    raw.weights({ 0 }, "an activation layer has none");
    return ActivationLayer { raw.input_size, raw.output_size, kind };
}

static Layer layer_of(const std::string& type, RawLayer& raw)
{
    if(type == "dense" || type == "time-distributed-dense")
        return dense(raw);
    if(type == "conv1d")
        return conv1d(raw);
    if(type == "conv2d")
        return conv2d(raw);
    if(type == "gru")
        return gru(raw);
    if(type == "lstm")
        return lstm(raw);
    if(type == "prelu")
        return prelu(raw);
    if(type == "batchnorm" || type == "batchnorm2d")
        return batchnorm(raw, type == "batchnorm2d");
    return activation(raw);
}

Layer read_layer(RawLayer& raw)
{
    const auto type = raw.type();
    if(type.empty())
        return {};
    auto layer = layer_of(type, raw);
    raw.refuse_lost_keys();
    return layer;
}

} // namespace rtconform::format
