// A JSON text (RFC 8259, UTF-8), read in one pass, and kept in the form that a model is taken from.
//
// All values stand in one list, in the order of the text: a container in front of what is in it, a name in front of its
// value. Nearly all of a model file is numbers in arrays of `weights`, for which that would be too much: of numbers that
// follow each other there, only the first is a value in the list, with its text; how many more follow is a note behind
// it. The floats that they are stand side by side, in one array per array of `weights`.
//
//      {"layers": [{"weights": [[[0.5, 0.25, 1e40], [1, 2, 3]]]}]}
//
//      list     { "layers" [ { "weights" [ [ [ 0.5 +1 1e40 [ 1 +2
//      floats                              0.5 0.25          1 2 3
#pragma once

#include "text_window.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace rtconform::format
{

/** A place in the list of all values of a text. */
using Value = size_t;

struct Member
{
    std::string_view name; // escapes resolved
    Value value;
};

/** Why a text is not JSON. */
struct SyntaxFault
{
    TextWindow::Position position;
    std::string expected, found;
};

class Json
{
public:
    /** How deep an array of weights is: the file, its layers, a layer, its weights, one array of them. */
    static constexpr size_t weights_depth = 5;

    /** More levels of arrays and objects than this are refused. */
    static constexpr size_t max_depth = 512;

    /** Reads the text to its end. */
    static std::variant<Json, SyntaxFault> read(TextWindow&& text);

    /** The outermost value. */
    static constexpr Value root = 0;

    /** '{', '[', '"', '0' for a number, 't', 'f' or 'n'. */
    char kind(Value value) const { return items_[value].kind; }

    /** The text of a number; a string with its escapes resolved, in which an unpaired surrogate comes in three bytes, as if
        it were a character. */
    std::string_view text(Value value) const;

    /** How many elements an array or members an object has. */
    size_t count(Value container) const { return items_[container].count; }

    /** In the order of the text; no name comes twice. */
    std::vector<Member> members(Value object) const;

    /** What stands behind a name, if the object has it. */
    std::optional<Value> member(Value object, std::string_view name) const;

    /** Those that are in the list: of weights, only the first of numbers that follow each other. */
    std::vector<Value> elements(Value array) const;

    /** The first element of an array, if it has any. */
    std::optional<Value> first(Value array) const;

    /** Of an array of weights, or one within: how many numbers that float32 can hold are at its beginning. */
    size_t leading_floats(Value array) const;

    /** All such numbers in an array of weights; the next time there are none. */
    std::vector<float> take_floats(Value weights) { return std::move(floats_[items_[weights].begin]); }

private:
    friend class JsonReader;

    struct Item
    {
        char kind;      // or '+' for numbers that follow a number
        bool is_float;  // a number that is among the floats
        uint32_t count; // of elements, members, bytes of text, or numbers
        size_t begin;   // of the text; or which array of floats is that of an array of weights
        size_t behind;  // the place behind this and all that is in it
    };

    std::vector<Item> items_;
    std::string texts_;
    std::vector<std::vector<float>> floats_;
};

} // namespace rtconform::format
