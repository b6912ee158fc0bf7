// A layer before it is known to be one: the members of its JSON object, read one by one with every fault noted.
#pragma once

#include "json.h"
#include "read_model.h"

#include <initializer_list>
#include <optional>
#include <set>

namespace rtconform::format
{

/** Nothing real comes near it, and it keeps a hostile `shape` from allocating gigabytes. */
constexpr uint32_t max_size = 1u << 20;

/** Collects faults while a text is being read. */
struct Findings
{
    Json& json;
    Faults faults;

    void add(std::string json_path, const std::string& expected, const std::string& found);

    /** The same, with a value as what was found. */
    void add(std::string json_path, const std::string& expected, std::optional<Value> found);

    /** How long an array is, its first element, the first element of that, and so on. */
    std::vector<size_t> first_lengths(Value array) const;

    /** A value in a few words. */
    std::string describe(std::optional<Value> value) const;
};

/** Floats per frame that a `shape` stands for: its last entry, or of four entries the third times the fourth.
    0 after a fault. */
uint32_t size_of(std::optional<Value> shape, const std::string& path, Findings& findings);

class RawLayer
{
public:
    /** Sizes are 0 where a fault keeps us from knowing them. */
    RawLayer(Value object, std::string path, uint32_t input_size, uint32_t output_size, Findings& findings);

    const uint32_t input_size, output_size;

    /** The type, "" after a fault. */
    std::string type();

    /** A whole number of at least 1, alone or as the last entry of a list; 0 after a fault. */
    uint32_t size(const char* key);

    /** The same, not in a list, and 1 where there is no such key. */
    uint32_t size_or_one(const char* key);

    /** A number of at least 0, rounded to float32 from its double. */
    float epsilon();

    /** True for "same", false for "valid". */
    bool same_padding();

    /** The fused activation; or that of an activation layer, which has to have one. */
    Activation activation(bool may_be_none = true);

    /** For layers that RTNeural gives no activation: one that stands there would be lost in silence. */
    void no_activation();

    /** The elements of `weights`, if there are as many as one of the counts; else none, and a fault. */
    std::vector<Value> weights(std::initializer_list<size_t> counts, const char* meaning);

    /** Element `index` of `weights` as numbers of exactly this shape; none after a fault. A 0 in the shape stands for
        a length that an earlier fault keeps us from knowing. */
    std::vector<float> array(
        const std::vector<Value>& weights, size_t index, std::initializer_list<uint32_t> shape, const char* axes);

    void fault(const std::string& key, const std::string& expected, const std::string& found);

    /** Keys that nobody has read so far and that would change the layer if anyone did. */
    void refuse_lost_keys();

    const Json& json() const { return findings_.json; }

private:
    /** Where an array first differs from the shape that it should have. */
    struct Misfit
    {
        std::vector<size_t> indices;
        std::string expected;
        Value found;
    };

    std::optional<Value> find(const std::string& key);
    uint32_t size_at(const char* key, std::optional<Value> value);

    /** Nothing if a nested array has the shape, and holds numbers alone. */
    std::optional<Misfit> misfit(Value value, const uint32_t* shape, size_t depth) const;

    Value object_;
    std::string path_;
    Findings& findings_;
    std::set<std::string> read_;
};

/** The layer; after faults, which are in the findings, some of its arrays are empty. */
Layer read_layer(RawLayer& raw);

} // namespace rtconform::format
