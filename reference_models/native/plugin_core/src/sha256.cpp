// Names and section numbers are those of FIPS 180-4.
#include "sha256.h"

#include <algorithm>
#include <cstring>

namespace rtconform::plugin
{

// 4.2.2: the fractional parts of the cube roots of the first 64 primes.
static constexpr std::array<uint32_t, 64> round_constants { 0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b,
    0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
    0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc,
    0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1,
    0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
    0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814,
    0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2 };

static uint32_t rotr(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

void Sha256::compress(const uint8_t* block)
{
    std::array<uint32_t, 64> w; // 6.2.2, step 1: the message schedule
    for(size_t t = 0; t < 16; ++t, block += 4)
        w[t] = uint32_t { block[0] } << 24 | uint32_t { block[1] } << 16 | uint32_t { block[2] } << 8 | block[3];
    for(size_t t = 16; t < 64; ++t)
    {
        const auto sigma0 = rotr(w[t - 15], 7) ^ rotr(w[t - 15], 18) ^ w[t - 15] >> 3;
        const auto sigma1 = rotr(w[t - 2], 17) ^ rotr(w[t - 2], 19) ^ w[t - 2] >> 10;
        w[t] = sigma1 + w[t - 7] + sigma0 + w[t - 16];
    }
    auto [a, b, c, d, e, f, g, h] = state_;
    for(size_t t = 0; t < 64; ++t)
    {
        const auto sum1 = rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25), choice = (e & f) ^ (~e & g);
        const auto sum0 = rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22), majority = (a & b) ^ (a & c) ^ (b & c);
        const auto t1 = h + sum1 + choice + round_constants[t] + w[t], t2 = sum0 + majority;
        h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
    }
    const std::array<uint32_t, 8> working { a, b, c, d, e, f, g, h };
    for(size_t i = 0; i < 8; ++i)
        state_[i] += working[i];
}

void Sha256::update(const void* data, size_t bytes)
{
    auto next = static_cast<const uint8_t*>(data);
    bytes_ += bytes;
    while(bytes > 0)
    {
        if(pending_bytes_ == 0 && bytes >= block_bytes)
        {
            compress(next);
            next += block_bytes;
            bytes -= block_bytes;
            continue;
        }
        const auto taken = std::min(bytes, block_bytes - pending_bytes_);
        std::memcpy(pending_.data() + pending_bytes_, next, taken);
        pending_bytes_ += taken;
        next += taken;
        bytes -= taken;
        if(pending_bytes_ == block_bytes)
        {
            compress(pending_.data());
            pending_bytes_ = 0;
        }
    }
}

std::string Sha256::hex_digest()
{
    // 5.1.1: a one bit, zeros up to 8 bytes before the end of a block, and the length in bits.
    const auto bits = bytes_ * 8;
    static constexpr std::array<uint8_t, block_bytes> padding { 0x80 };
    update(padding.data(), 1 + (2 * block_bytes - 9 - pending_bytes_) % block_bytes);
    std::array<uint8_t, 8> length;
    for(size_t i = 0; i < 8; ++i)
        length[i] = static_cast<uint8_t>(bits >> (56 - 8 * i));
    update(length.data(), length.size());

    std::string text;
    for(const auto word : state_)
        for(int shift = 28; shift >= 0; shift -= 4)
            text += "0123456789abcdef"[word >> shift & 15];
    return text;
}

} // namespace rtconform::plugin
