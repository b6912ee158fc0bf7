// The one strict reader of RTNeural JSON in C++: either a model of which every size fits, or what is wrong with the file.
//
// What RTNeural itself lets pass in silence is refused: unknown layer types and activations, arrays of another shape
// than type, `shape` and the layer before ask for, keys twice, keys that would change a layer if anyone read them,
// numbers beyond float32, bytes behind the end.
#pragma once

#include "model.h"
#include "text_window.h"

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace rtconform::format
{

enum class Phase
{
    read,    // the file can't be read
    parse,   // the text is not JSON
    validate // the JSON is not a model
};

/** One place where a file breaks the format. */
struct Fault
{
    Phase phase;
    std::string json_path; // "$.layers[2].weights[0][7]"
    std::string message;   // "expected ..., found ..."
};

/** At least one, in the order of the file; of an array, the first place that doesn't fit; at most 100. */
using Faults = std::vector<Fault>;

/** Reads a file of at most 1 GiB, of whose text only a piece at a time is in memory. Throws std::bad_alloc and nothing else. */
std::variant<Model, Faults> read_file(const char* path_utf8);

/** The same for the content of a file. Throws std::bad_alloc and nothing else. */
std::variant<Model, Faults> read_text(std::string_view text);

/** The same for a text that comes in pieces. Throws std::bad_alloc and what the source throws. */
std::variant<Model, Faults> read_pieces(TextWindow::Source source);

} // namespace rtconform::format
