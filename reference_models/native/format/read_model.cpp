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

static Model model_of(const Json& json, Findings& findings)
{
    Model model {};
    static const std::string expected = R"(an RTNeural JSON model: {"in_shape": [...], "layers": [...]})";
    if(json.kind(json.root) != '{')
    {
        findings.add("$", expected, std::optional { Json::root });
        return model;
    }
    const auto shape = json.member(json.root, "in_shape"), layers = json.member(json.root, "layers");
    if(!shape && !layers && json.count(json.root) != 0)
    {
        findings.add("$", expected, "an object with neither, which is another format; `rtconform validate` names it");
        return model;
    }
    auto size = model.input_size = size_of(shape, "$.in_shape", findings);
    if(!layers || json.kind(*layers) != '[' || json.count(*layers) == 0)
    {
        findings.add("$.layers", "an array of at least one layer", layers);
        return model;
    }
    for(const auto object : json.elements(*layers))
    {
        const auto path = "$.layers[" + std::to_string(model.layers.size()) + ']';
        if(json.kind(object) != '{')
        {
            findings.add(path, "a layer object with type, shape and weights", std::optional { object });
            model.layers.emplace_back();
            size = 0;
            continue;
        }
        const auto output_size = size_of(json.member(object, "shape"), path + ".shape", findings);
        RawLayer raw { object, path, size, output_size, findings };
        model.layers.push_back(read_layer(raw));
        size = output_size;
    }
    return model;
}

static std::variant<Model, Faults> read(TextWindow&& text)
{
    auto read = Json::read(std::move(text));
    if(const auto* fault = std::get_if<SyntaxFault>(&read))
    {
        const auto where = " at line " + std::to_string(fault->position.line) + ", column "
            + std::to_string(fault->position.column);
        return Faults { Fault { Phase::parse, "$", "expected " + fault->expected + ", found " + fault->found + where } };
    }
    auto& json = std::get<Json>(read);
    Findings findings { json, {} };
    auto model = model_of(json, findings);
    if(findings.faults.empty())
        return model;
    return std::move(findings.faults);
}

std::variant<Model, Faults> read_text(std::string_view text)
{
    return read(TextWindow { text });
}

std::variant<Model, Faults> read_pieces(TextWindow::Source source)
{
    return read(TextWindow { std::move(source) });
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
    int failed = 0;
    uintmax_t left = max_bytes;
    auto model = read_pieces(
        [&](char* memory, size_t size)
        {
            const auto count = std::fread(memory, 1, std::min<uintmax_t>(size, left), file.get());
            failed = std::ferror(file.get()) != 0 ? errno : 0;
            left -= count;
            return count;
        });
    if(failed != 0)
        return unreadable(std::strerror(failed));
    return model;
}

} // namespace rtconform::format
