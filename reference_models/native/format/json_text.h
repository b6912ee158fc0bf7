// JSON text (RFC 8259, UTF-8) that is checked once, whole, and walked afterwards without any check.
//
// Nearly all of a model file is numbers in arrays, which no tree is built of: whoever knows the shape reads them from
// the text. What is kept is the members of the outer objects.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

namespace rtconform::format
{

/** A place in a text, in bytes from its beginning. */
using Place = size_t;

struct Member
{
    std::string name; // escapes resolved
    Place value;
};

using Members = std::vector<Member>;

/** Why a text is not JSON. */
struct SyntaxFault
{
    Place place;
    std::string expected, found;
};

class JsonText
{
public:
    /** Of what is nested deeper than this, objects keep no members, and ends are not known: the file, its list of layers, a
        layer, its weights, an array of them. */
    static constexpr size_t kept_depth = 5;

    /** More levels of arrays and objects than this are refused. */
    static constexpr size_t max_depth = 512;

    /** Checks the text, which has to outlive the result. */
    static std::variant<JsonText, SyntaxFault> check(std::string_view text);

    /** Where the outermost value begins. */
    Place root() const { return root_; }

    /** '{', '[', '"', '0' for a number, 't', 'f' or 'n'. */
    char kind(Place value) const;

    /** The members of an object at a depth of at most kept_depth, in the order of the text; no name comes twice. */
    const Members& members(Place object) const { return kept_.at(object).members; }

    /** The first element of an array, if it has any. */
    std::optional<Place> first(Place array) const;

    /** The element that follows one that ends at `end`, if any does. */
    std::optional<Place> next(Place end) const;

    /** One behind the end of the array whose last element ends at `end`. */
    Place closed(Place end) const { return skip_space(end) + 1; }

    /** One behind the end of a value. */
    Place end(Place value) const;

    /** The text of a number. */
    std::string_view number(Place value) const;

    /** The text from a place on. */
    std::string_view rest(Place place) const { return text_.substr(place); }

    /** A string with its escapes resolved; an unpaired surrogate comes in three bytes, as if it were a character. */
    std::string string(Place value) const;

    /** How many elements an array or members an object has. */
    size_t count(Place container) const;

private:
    struct Kept
    {
        Members members; // of an object
        Place end;
    };

    friend class JsonChecker;
    explicit JsonText(std::string_view text) : text_ { text } { }

    Place skip_space(Place place) const;

    std::string_view text_;
    Place root_ = 0;
    std::unordered_map<Place, Kept> kept_;
};

} // namespace rtconform::format
