// Runs the strict reader on many files in one process: on stdin, files as a 4-byte length and their bytes; on stdout,
// for each a 4-byte length and either "M" and everything that the model holds, or "F" and one line per fault. Each is read
// as a whole and in pieces; where that makes a difference, the difference is the one fault.
#include "read_model.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

using namespace rtconform::format;

static std::string numbers(std::initializer_list<uint32_t> values)
{
    std::string text;
    for(const auto value : values)
        text += ' ' + std::to_string(value);
    return text + '\n';
}

static std::string bytes(std::initializer_list<const std::vector<float>*> arrays)
{
    std::string text;
    for(const auto* array : arrays)
        text.append(reinterpret_cast<const char*>(array->data()), array->size() * sizeof(float));
    return text;
}

struct Dump
{
    static uint32_t id(Activation activation) { return static_cast<uint32_t>(activation); }

    std::string operator()(const Dense& l) const
    {
        return "dense" + numbers({ l.input_size, l.output_size, id(l.activation) }) + bytes({ &l.kernel, &l.bias });
    }
    std::string operator()(const Conv1d& l) const
    {
        return "conv1d" + numbers({ l.input_size, l.output_size, id(l.activation), l.kernel_size, l.dilation, l.groups })
            + bytes({ &l.kernel, &l.bias });
    }
    std::string operator()(const Conv2d& l) const
    {
        return "conv2d"
            + numbers({ l.input_size, l.output_size, id(l.activation), l.kernel_time, l.kernel_feature, l.filters_in,
                l.filters_out, l.features_in, l.dilation, l.stride, l.same_padding })
            + bytes({ &l.kernel, &l.bias });
    }
    std::string operator()(const Gru& l) const
    {
        return "gru" + numbers({ l.input_size, l.output_size }) + bytes({ &l.kernel, &l.recurrent, &l.bias });
    }
    std::string operator()(const Lstm& l) const
    {
        return "lstm" + numbers({ l.input_size, l.output_size }) + bytes({ &l.kernel, &l.recurrent, &l.bias });
    }
    std::string operator()(const Prelu& l) const
    {
        return "prelu" + numbers({ l.input_size, l.output_size }) + bytes({ &l.alpha });
    }
    std::string operator()(const BatchNorm& l) const
    {
        const std::vector<float> epsilon { l.epsilon };
        return "batchnorm" + numbers({ l.input_size, l.output_size, l.filters, l.features, l.two_dimensional })
            + bytes({ &l.gamma, &l.beta, &l.mean, &l.variance, &epsilon });
    }
    std::string operator()(const ActivationLayer& l) const
    {
        return "activation" + numbers({ l.input_size, l.output_size, id(l.activation) });
    }
};

static std::string answer(const std::variant<Model, Faults>& read)
{
    std::string said;
    if(const auto* model = std::get_if<Model>(&read))
    {
        said = 'M' + numbers({ model->input_size });
        for(const auto& layer : model->layers)
            said += std::visit(Dump {}, layer);
        return said;
    }
    static constexpr const char* phases[] = { "read", "parse", "validate" };
    for(const auto& fault : std::get<Faults>(read))
        said += (said.empty() ? "F" : "\n") + std::string { phases[static_cast<int>(fault.phase)] } + '\t'
            + fault.json_path + '\t' + fault.message;
    return said;
}

/** The same text a few bytes at a time: one, two, and so on up to a hundred. */
static TextWindow::Source in_pieces(std::string_view text)
{
    return [text, most = size_t { 0 }](char* memory, size_t size) mutable
    {
        most = most % 100 + 1;
        const auto count = text.copy(memory, std::min(most, size));
        text.remove_prefix(count);
        return count;
    };
}

int main()
{
    for(uint32_t length = 0; std::fread(&length, sizeof length, 1, stdin) == 1;)
    {
        std::string text(length, '\0');
        if(std::fread(text.data(), 1, length, stdin) != length)
            return 2;
        auto said = answer(read_text(text));
        if(const auto other = answer(read_pieces(in_pieces(text))); other != said)
            said = "Fread\t\tin pieces it is another text: " + other;
        length = static_cast<uint32_t>(said.size());
        std::fwrite(&length, sizeof length, 1, stdout);
        std::fwrite(said.data(), 1, length, stdout);
        std::fflush(stdout);
    }
    return 0;
}
