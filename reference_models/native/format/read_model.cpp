#include "read_model.h"

#include "raw_layer.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

namespace rtconform::format
{

static std::optional<Place> member(const JsonText& json, Place object, std::string_view name)
{
    for(const auto& member : json.members(object))
        if(member.name == name)
            return member.value;
    return {};
}

static Model model_of(const JsonText& json, Findings& findings)
{
    Model model {};
    static const std::string expected = R"(an RTNeural JSON model: {"in_shape": [...], "layers": [...]})";
    if(json.kind(json.root()) != '{')
    {
        findings.add("$", expected, std::optional { json.root() });
        return model;
    }
    const auto shape = member(json, json.root(), "in_shape"), layers = member(json, json.root(), "layers");
    if(!shape && !layers && !json.members(json.root()).empty())
    {
        findings.add("$", expected, "an object with neither, which is another format; `rtconform validate` names it");
        return model;
    }
    auto size = model.input_size = size_of(shape, "$.in_shape", findings);
    const auto first = layers && json.kind(*layers) == '[' ? json.first(*layers) : std::nullopt;
    if(!first)
        findings.add("$.layers", "an array of at least one layer", layers);
    for(auto object = first; object; object = json.next(json.end(*object)))
    {
        const auto path = "$.layers[" + std::to_string(model.layers.size()) + ']';
        if(json.kind(*object) != '{')
        {
            findings.add(path, "a layer object with type, shape and weights", object);
            model.layers.emplace_back();
            size = 0;
            continue;
        }
        const auto output_size = size_of(member(json, *object, "shape"), path + ".shape", findings);
        RawLayer raw { *object, path, size, output_size, findings };
        model.layers.push_back(read_layer(raw));
        size = output_size;
    }
    return model;
}

std::variant<Model, Faults> read_text(std::string_view text)
{
    const auto checked = JsonText::check(text);
    if(const auto* fault = std::get_if<SyntaxFault>(&checked))
    {
        const auto before = text.substr(0, fault->place);
        const auto line = 1 + std::count(before.begin(), before.end(), '\n');
        const auto column = fault->place - (before.rfind('\n') + 1); // npos + 1 is 0
        const auto where = " at line " + std::to_string(line) + ", column " + std::to_string(column + 1);
        return Faults { Fault { Phase::parse, "$", "expected " + fault->expected + ", found " + fault->found + where } };
    }
    const auto& json = std::get<JsonText>(checked);
    Findings findings { json, {} };
    auto model = model_of(json, findings);
    if(findings.faults.empty())
        return model;
    return std::move(findings.faults);
}

static Faults unreadable(const std::string& found)
{
    return { Fault { Phase::read, "", "expected a readable RTNeural JSON file, found " + found } };
}

std::variant<Model, Faults> read_file(const char* path_utf8)
{
    static constexpr uintmax_t max_bytes = 1u << 30;
    std::error_code error;
    const auto path = std::filesystem::u8path(path_utf8);
    const auto status = std::filesystem::status(path, error);
    if(!std::filesystem::exists(status))
        return unreadable(error && error.value() != ENOENT ? error.message() : "no such file");
    if(!std::filesystem::is_regular_file(status))
        return unreadable(std::filesystem::is_directory(status) ? "a folder" : "a pipe or a device");
    if(const auto bytes = std::filesystem::file_size(path, error); !error && bytes > max_bytes)
        return unreadable(std::to_string(bytes) + " bytes, which is more than 1 GiB");

    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file { std::fopen(path_utf8, "rb"), &std::fclose };
    if(file == nullptr)
        return unreadable(std::strerror(errno));
    std::string text(static_cast<size_t>(std::filesystem::file_size(path, error)), '\0');
    text.resize(error ? 0 : std::fread(text.data(), 1, text.size(), file.get()));
    if(error || std::ferror(file.get()) != 0)
        return unreadable(error ? error.message() : std::strerror(errno));
    return read_text(text);
}

} // namespace rtconform::format
