// SHA-256 (FIPS 180-4).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace rtconform::plugin
{

/** The digest of bytes that come in any number of pieces. */
class Sha256
{
public:
    void update(const void* data, size_t bytes);

    /** 64 hexadecimal digits in lower case. Nothing may be added afterwards. */
    std::string hex_digest();

private:
    static constexpr size_t block_bytes = 64;

    void compress(const uint8_t* block);

    // 5.3.3: the fractional parts of the square roots of the first eight primes.
    std::array<uint32_t, 8> state_ { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab,
        0x5be0cd19 };
    std::array<uint8_t, block_bytes> pending_ {};
    size_t pending_bytes_ = 0;
    uint64_t bytes_ = 0;
};

} // namespace rtconform::plugin
