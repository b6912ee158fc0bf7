// Models through one loader of a library, for a processor or with a sanitizer that Python doesn't run with:
//
//     run_loader LIBRARY LOADER FOLDER MODEL...
//
// FOLDER/0.in holds the frames of the first model, float32 one after the other, and FOLDER/0.out gets its outputs; and so on.
// They are run in one block and then, after a reset, one by one. A model that is refused gets no outputs.
#include <rtconform/loader.h>

#include <dlfcn.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

namespace
{

const rtc_loader* loader_of(const char* library, const char* name)
{
    auto* const opened = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if(opened == nullptr)
        return nullptr;
    const auto entry = reinterpret_cast<decltype(&rtc_entry)>(dlsym(opened, "rtc_entry"));
    for(uint32_t index = 0; const auto* found = entry(RTC_LOADER_INTERFACE, index); ++index)
    {
        const auto* const loader = static_cast<const rtc_loader*>(found);
        if(std::strcmp(loader->name, name) == 0)
            return loader;
    }
    return nullptr;
}

std::vector<float> read(const std::string& path)
{
    std::ifstream file { path, std::ios::binary | std::ios::ate };
    std::vector<float> values(static_cast<std::size_t>(file.tellg()) / sizeof(float));
    file.seekg(0).read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(float)));
    return values;
}

} // namespace

int main(int count, char** words)
{
    const auto* const loader = loader_of(words[1], words[2]);
    if(loader == nullptr)
        return std::fprintf(stderr, "no loader %s in %s\n", words[2], words[1]), 1;
    for(int number = 0; number < count - 4; ++number)
    {
        const auto file = std::string { words[3] } + '/' + std::to_string(number);
        const auto frames = read(file + ".in");
        rtc_model* model = nullptr;
        rtc_error error {};
        if(loader->load(words[number + 4], &model, &error) != RTC_OK)
            continue;
        const auto inputs = loader->input_size(model), width = loader->output_size(model);
        const auto length = static_cast<uint32_t>(frames.size() / inputs);
        if(loader->prepare(model, length, &error) != RTC_OK)
            return std::fprintf(stderr, "%s: %s\n", words[number + 4], error.message), 1;
        std::vector<float> outputs(std::size_t { length } * width);
        loader->process(model, frames.data(), outputs.data(), length);
        loader->reset(model);
        for(std::size_t frame = 0; frame < length; ++frame)
            loader->process(model, frames.data() + frame * inputs, outputs.data() + frame * width, 1);
        loader->unload(model);
        std::ofstream { file + ".out", std::ios::binary }.write(
            reinterpret_cast<const char*>(outputs.data()), static_cast<std::streamsize>(outputs.size() * sizeof(float)));
    }
    return 0;
}
