// Whether a file may play in a model's place: whole, strictly RTNeural JSON, and with the layers of that model's spec.
// HarmonyPredictor and EmotionRecognizer have the same outer sizes, so sizes alone would let one play as the other.
#pragma once

#include <rtconform_plugin/specs.h>

#include <cstdint>
#include <string>
#include <variant>

namespace rtconform::plugin
{

/** Why a file was refused. The message says what was expected and what was found; it doesn't name the file. */
struct LoadError
{
    enum class Phase
    {
        read,     // the file can't be read
        parse,    // the text is not JSON
        validate, // the JSON is not a model, or not this one
        build     // the model is good, and nothing that runs could be made of it
    } phase;
    std::string json_path; // "$.layers[2].weights[0][7]"; empty in the phases read and build
    std::string message;
};

/** What a file is, so that two can be told apart. */
struct ModelFile
{
    uint64_t bytes;
    std::string sha256; // 64 hex digits
};

/** Size and digest of what was checked: the file is read once, so that both are of the same bytes even while somebody
    writes to it. Of several faults the first. Reads and allocates: never call it on the audio thread. Throws
    std::bad_alloc and nothing else. */
std::variant<ModelFile, LoadError> check_model_file(const std::string& path_utf8, const ModelSpec& spec);

/** Size and digest of a file, whatever it holds; the only phase is read. As above for threads and exceptions. */
std::variant<ModelFile, LoadError> digest_of_file(const std::string& path_utf8);

/** "read", "parse", "validate" or "build". */
const char* name_of(LoadError::Phase phase);

} // namespace rtconform::plugin
