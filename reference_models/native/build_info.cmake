# What a library tells of its build: its version, compiler and flags, and the digest of the files that it is made of, to
# which known failures are tied. Configures anew when one of the files changes.
function(describe_build target version)
  set(digests "")
  foreach(file ${ARGN})
    cmake_path(NORMAL_PATH file) # a file that two libraries depend on by two paths would be two outputs to ninja
    file(SHA256 "${file}" digest)
    string(APPEND digests "${digest}")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
  endforeach()
  string(SHA256 source_hash "${digests}")
  string(TOUPPER "${CMAKE_BUILD_TYPE}" build_type)
  string(STRIP "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${build_type}} -std=c++17" flags_text)
  target_compile_definitions(${target} PRIVATE
    "RTCONFORM_VERSION=\"${version}\""
    "RTCONFORM_COMPILER=\"${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}\""
    "RTCONFORM_FLAGS=\"${flags_text}\""
    "RTCONFORM_SOURCE_HASH=\"${source_hash}\"")
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GNU-unique symbols would be shared between libraries in spite of RTLD_LOCAL.
    target_compile_options(${target} PRIVATE -fno-gnu-unique)
  endif()
endfunction()
