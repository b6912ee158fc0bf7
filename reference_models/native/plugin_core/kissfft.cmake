# KISSFFT_INCLUDE, the folder that has kissfft/kissfft.hh: the system's, or that of a Debian package unpacked under
# <prefix>/usr, where the prefix is named by RTCONFORM_DEV_PREFIX (variable or environment) or is the folder debian/ of
# rtconform's cache.
set(kissfft_prefixes "${RTCONFORM_DEV_PREFIX}" "$ENV{RTCONFORM_DEV_PREFIX}")
foreach(cache "$ENV{RTCONFORM_CACHE}" "$ENV{XDG_CACHE_HOME}/rtconform" "$ENV{HOME}/.cache/rtconform")
  list(APPEND kissfft_prefixes "${cache}/debian")
endforeach()
list(TRANSFORM kissfft_prefixes APPEND "/usr/include")
find_path(KISSFFT_INCLUDE kissfft/kissfft.hh HINTS ${kissfft_prefixes})
if(NOT KISSFFT_INCLUDE)
  message(FATAL_ERROR "kissfft/kissfft.hh was not found: install it with `apt-get install libkissfft-dev`, or set "
                      "RTCONFORM_DEV_PREFIX to a folder into which that package is unpacked.")
endif()
