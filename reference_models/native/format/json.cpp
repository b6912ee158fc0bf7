#include "json.h"

namespace rtconform::format
{

std::string_view Json::text(Value value) const
{
    return std::string_view { texts_ }.substr(items_[value].begin, items_[value].count);
}

std::vector<Member> Json::members(Value object) const
{
    std::vector<Member> result;
    for(auto name = object + 1; name < items_[object].behind; name = items_[name + 1].behind)
        result.push_back({ text(name), name + 1 });
    return result;
}

std::optional<Value> Json::member(Value object, std::string_view name) const
{
    for(const auto& member : members(object))
        if(member.name == name)
            return member.value;
    return {};
}

std::vector<Value> Json::elements(Value array) const
{
    std::vector<Value> result;
    for(auto element = array + 1; element < items_[array].behind; element = items_[element].behind)
        if(items_[element].kind != '+')
            result.push_back(element);
    return result;
}

std::optional<Value> Json::first(Value array) const
{
    return count(array) == 0 ? std::nullopt : std::optional { array + 1 };
}

size_t Json::leading_floats(Value array) const
{
    const auto number = array + 1, further = array + 2;
    if(count(array) == 0 || !items_[number].is_float)
        return 0;
    return 1 + (further < items_[array].behind && items_[further].kind == '+' ? items_[further].count : 0);
}

} // namespace rtconform::format
