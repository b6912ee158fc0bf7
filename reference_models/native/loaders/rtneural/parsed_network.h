// A file to a network by RTNeural's own parser, without any check: what RTNeural accepts is accepted here, so that a
// verdict on this loader is a verdict on RTNeural.
#pragma once

#include "refusal.h"

#include <RTNeural/RTNeural.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <ios>
#include <memory>
#include <new>

using Network = RTNEURAL_NAMESPACE::Model<float>;

/** Throws Refusal, and what RTNeural throws for want of memory. */
inline std::unique_ptr<Network> read_network(const char* path_utf8)
{
    try
    {
        std::ifstream file { path_utf8, std::ios::binary };
        if(!file.is_open())
            throw Refusal { RTC_PHASE_READ, std::strerror(errno), "" };
        auto network = RTNEURAL_NAMESPACE::json_parser::parseJson<float>(file);
        if(network == nullptr)
            throw Refusal { RTC_PHASE_VALIDATE, "RTNeural made no model of this file and gave no reason", "" };
        return network;
    }
    catch(const std::ios_base::failure& e)
    {
        throw Refusal { RTC_PHASE_READ, e.what(), "" };
    }
    catch(const nlohmann::json::parse_error& e)
    {
        throw Refusal { RTC_PHASE_PARSE, e.what(), "" };
    }
    catch(const std::bad_alloc&)
    {
        throw;
    }
    catch(const std::exception& e)
    {
        throw Refusal { RTC_PHASE_VALIDATE, e.what(), "" };
    }
}
