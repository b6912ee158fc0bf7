#include <rtconform_plugin/model_file.h>

#include "read_model.h"
#include "sha256.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace rtconform::plugin
{

namespace
{

// What the strict reader takes at most; the five models have 1 to 14 MB.
constexpr uintmax_t max_bytes = 1u << 30;

LoadError unreadable(const std::string& found)
{
    return { LoadError::Phase::read, "", "expected a readable model file, found " + found };
}

/** A file that is read piece by piece, and what it is so far. */
class Source
{
public:
    /** Opens it; if it can't be opened, there is an error() and nothing to read. */
    explicit Source(const std::string& path_utf8)
    {
        std::error_code error;
        const auto path = std::filesystem::u8path(path_utf8);
        const auto status = std::filesystem::status(path, error);
        if(!std::filesystem::exists(status))
            error_ = unreadable(error && error.value() != ENOENT ? error.message() : "no such file");
        else if(!std::filesystem::is_regular_file(status)) // to open a pipe would wait for whoever writes to it
            error_ = unreadable(std::filesystem::is_directory(status) ? "a folder" : "a pipe or a device");
        else if(const auto bytes = std::filesystem::file_size(path, error); !error && bytes > max_bytes)
            error_ = unreadable(too_large);
        else if(file_.reset(std::fopen(path_utf8.c_str(), "rb")); file_ == nullptr)
            error_ = unreadable(std::strerror(errno));
    }

    /** The next bytes, `most` of them at most; none at the end, or where an error() is. */
    size_t read(char* to, size_t most)
    {
        if(error_)
            return 0;
        const auto count = std::fread(to, 1, most, file_.get());
        bytes_ += count;
        sha256_.update(to, count);
        if(bytes_ > max_bytes)
            error_ = unreadable(too_large); // it grows while it is read
        else if(std::ferror(file_.get()) != 0)
            error_ = unreadable(std::strerror(errno));
        return error_ ? 0 : count;
    }

    std::optional<LoadError>& error()
    {
        return error_;
    }

    ModelFile whole()
    {
        return { bytes_, sha256_.hex_digest() };
    }

private:
    static constexpr const char* too_large = "more than 1 GiB";
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_ { nullptr, &std::fclose };
    uint64_t bytes_ = 0;
    Sha256 sha256_;
    std::optional<LoadError> error_;
};

/** A layer in the words of LayerSpec, with its place in the file. */
struct Stage
{
    std::string json_path, type;
    uint32_t output_size;
    format::Activation activation;
};

const char* word_for(format::Activation activation)
{
    static constexpr const char* words[] { "", "tanh", "relu", "sigmoid", "softmax", "elu" };
    return words[static_cast<size_t>(activation)];
}

Stage stage_of(const format::Layer& layer, std::string json_path)
{
    static constexpr const char* types[]
        { "dense", "conv1d", "conv2d", "gru", "lstm", "prelu", "batchnorm", "activation" };
    static_assert(std::size(types) == std::variant_size_v<format::Layer>);
    Stage stage { std::move(json_path), types[layer.index()], 0, format::Activation::none };
    std::visit(
        [&stage](const auto& held)
        {
            stage.output_size = held.output_size;
            if constexpr(std::is_same_v<std::decay_t<decltype(held)>, format::Dense>
                || std::is_same_v<std::decay_t<decltype(held)>, format::ActivationLayer>)
                stage.activation = held.activation;
        },
        layer);
    return stage;
}

/** The layers, with an activation in a layer of its own joined to the one in front: both files are the same model. */
std::vector<Stage> stages_of(const format::Model& model)
{
    std::vector<Stage> stages;
    for(size_t i = 0; i < model.layers.size(); ++i)
    {
        auto stage = stage_of(model.layers[i], "$.layers[" + std::to_string(i) + ']');
        const bool joins = stage.type == "activation" && !stages.empty()
            && stages.back().activation == format::Activation::none;
        if(joins)
            stages.back().activation = stage.activation;
        else
            stages.push_back(std::move(stage));
    }
    return stages;
}

LoadError another_model(
    std::string json_path, const ModelSpec& spec, const std::string& expected, const std::string& found)
{
    return { LoadError::Phase::validate, std::move(json_path),
        "expected " + expected + " as " + spec.name + " has, found " + found };
}

std::string activation_in_words(std::string_view activation)
{
    return activation.empty() ? "no activation" : "the activation " + std::string { activation };
}

/** The first thing in which a model, good in itself, is not the one that is wanted. */
std::optional<LoadError> mismatch(const format::Model& model, const ModelSpec& spec)
{
    if(model.input_size != spec.input_size)
        return another_model(
            "$.in_shape", spec, std::to_string(spec.input_size) + " inputs", std::to_string(model.input_size));
    const auto stages = stages_of(model);
    if(stages.size() != spec.layer_count)
        return another_model(
            "$.layers", spec, std::to_string(spec.layer_count) + " layers", std::to_string(stages.size()));
    for(size_t i = 0; i < stages.size(); ++i)
    {
        const auto& stage = stages[i];
        const auto& wanted = layer_specs[spec.first_layer + i];
        const auto activation = word_for(stage.activation);
        if(stage.type != wanted.type)
            return another_model(stage.json_path + ".type", spec, std::string { "the type " } + wanted.type, stage.type);
        if(stage.output_size != wanted.output_size)
            return another_model(stage.json_path + ".shape", spec, std::to_string(wanted.output_size) + " outputs",
                std::to_string(stage.output_size));
        if(std::string_view { activation } != wanted.activation)
            return another_model(stage.json_path + ".activation", spec, activation_in_words(wanted.activation),
                activation_in_words(activation));
    }
    return {};
}

} // namespace

std::variant<ModelFile, LoadError> check_model_file(const std::string& path_utf8, const ModelSpec& spec)
{
    Source source { path_utf8 };
    auto result = format::read_pieces([&source](char* to, size_t most) { return source.read(to, most); });
    if(source.error())
        return std::move(*source.error());
    if(auto* faults = std::get_if<format::Faults>(&result))
    {
        auto& first = faults->front();
        const bool is_json = first.phase != format::Phase::parse;
        return LoadError { is_json ? LoadError::Phase::validate : LoadError::Phase::parse, std::move(first.json_path),
            std::move(first.message) };
    }
    if(auto error = mismatch(std::get<format::Model>(result), spec))
        return std::move(*error);
    return source.whole();
}

std::variant<ModelFile, LoadError> digest_of_file(const std::string& path_utf8)
{
    Source source { path_utf8 };
    std::vector<char> piece(1 << 16);
    while(source.read(piece.data(), piece.size()) > 0)
        ;
    if(source.error())
        return std::move(*source.error());
    return source.whole();
}

const char* name_of(LoadError::Phase phase)
{
    static constexpr const char* names[] { "read", "parse", "validate", "build" };
    return names[static_cast<size_t>(phase)];
}

} // namespace rtconform::plugin
