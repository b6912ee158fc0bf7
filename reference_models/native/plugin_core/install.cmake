# What find_package(rtconform_plugin_core) finds: the library, its headers, and the two interfaces.
include(CMakePackageConfigHelpers)
set(package "${CMAKE_INSTALL_LIBDIR}/cmake/rtconform_plugin_core")

install(TARGETS rtconform_plugin_core EXPORT rtconform_plugin_core)
install(DIRECTORY include/ "${generated}/" "${RTCONFORM_LOADER_INCLUDE_DIR}/"
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.h")
install(EXPORT rtconform_plugin_core NAMESPACE rtconform:: FILE targets.cmake DESTINATION "${package}")

file(WRITE "${CMAKE_CURRENT_BINARY_DIR}/rtconform_plugin_core-config.cmake"
  "include(CMakeFindDependencyMacro)\n"
  "find_dependency(Threads)\n"
  "include(\"\${CMAKE_CURRENT_LIST_DIR}/targets.cmake\")\n")
write_basic_package_version_file(
  "${CMAKE_CURRENT_BINARY_DIR}/rtconform_plugin_core-config-version.cmake" COMPATIBILITY SameMinorVersion)
install(FILES
  "${CMAKE_CURRENT_BINARY_DIR}/rtconform_plugin_core-config.cmake"
  "${CMAKE_CURRENT_BINARY_DIR}/rtconform_plugin_core-config-version.cmake"
  DESTINATION "${package}")
