// Models through one loader of a library, for a processor that Python doesn't run on:
//
//     run_loader LIBRARY LOADER FOLDER MODEL...
//
// FOLDER/0.in holds the frames of the first model, float32 one after the other, and FOLDER/0.out gets its outputs; and so on.
#include <rtconform/loader.h>

#include <dlfcn.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
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
    std::ifstream file { path, std::ios::binary };
    const std::vector<char> bytes { std::istreambuf_iterator<char> { file }, {} };
    std::vector<float> values(bytes.size() / sizeof(float));
    std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
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
            return std::fprintf(stderr, "%s: %s\n", words[number + 4], error.message), 1;
        const auto length = static_cast<uint32_t>(frames.size() / loader->input_size(model));
        if(loader->prepare(model, length, &error) != RTC_OK)
            return std::fprintf(stderr, "%s: %s\n", words[number + 4], error.message), 1;
        std::vector<float> outputs(std::size_t { length } * loader->output_size(model));
        loader->process(model, frames.data(), outputs.data(), length);
        loader->unload(model);
        std::ofstream { file + ".out", std::ios::binary }.write(
            reinterpret_cast<const char*>(outputs.data()), static_cast<std::streamsize>(outputs.size() * sizeof(float)));
    }
    return 0;
}
