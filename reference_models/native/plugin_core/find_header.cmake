# Sets VARIABLE to the folder that has a header of a Debian package: the system's, or that of the package unpacked under
# <prefix>/usr, where the prefix is named by RTCONFORM_DEV_PREFIX (variable or environment) or is the folder debian/ of
# rtconform's cache.
function(find_header VARIABLE header package)
  set(prefixes "${RTCONFORM_DEV_PREFIX}" "$ENV{RTCONFORM_DEV_PREFIX}")
  foreach(cache "$ENV{RTCONFORM_CACHE}" "$ENV{XDG_CACHE_HOME}/rtconform" "$ENV{HOME}/.cache/rtconform")
    list(APPEND prefixes "${cache}/debian")
  endforeach()
  list(TRANSFORM prefixes APPEND "/usr/include")
  find_path(${VARIABLE} "${header}" HINTS ${prefixes})
  if(NOT ${VARIABLE})
    message(FATAL_ERROR "${header} was not found: install it with `apt-get install ${package}`, or set "
                        "RTCONFORM_DEV_PREFIX to a folder into which that package is unpacked.")
  endif()
endfunction()
