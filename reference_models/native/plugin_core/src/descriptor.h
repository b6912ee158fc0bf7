// A file descriptor with one owner.
#pragma once

#include <unistd.h>

#include <utility>

namespace rtconform::plugin
{

class Descriptor
{
public:
    Descriptor() = default;
    explicit Descriptor(int number) : number_ { number } { }
    Descriptor(Descriptor&& other) noexcept : number_ { std::exchange(other.number_, -1) } { }
    Descriptor& operator=(Descriptor&& other) noexcept
    {
        std::swap(number_, other.number_);
        return *this;
    }
    ~Descriptor() { close(); }

    explicit operator bool() const { return number_ >= 0; }
    int number() const { return number_; }

    /** False if closing failed, which can be the first time that a full disk is heard of. */
    bool close()
    {
        return number_ < 0 || ::close(std::exchange(number_, -1)) == 0;
    }

private:
    int number_ = -1;
};

} // namespace rtconform::plugin
