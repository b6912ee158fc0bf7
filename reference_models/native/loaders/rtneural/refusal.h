// Why a file became no network.
#pragma once

#include <rtconform/loader.h>

#include <string>

struct Refusal
{
    rtc_phase phase;
    std::string message;
    std::string json_path;
};
