# SPDX-License-Identifier: Apache-2.0
# lakebeat_core: every room as one static library, which unit tests link.
# adbc_driver_lakebeat: the same objects as the shared library that driver managers load.

set(rooms base wire io auth session result adbc)
set(core_sources "")
foreach(room IN LISTS rooms)
  file(GLOB room_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/${room}/*.c")
  list(FILTER room_sources EXCLUDE REGEX "_test\\.c$")
  list(APPEND core_sources ${room_sources})
endforeach()

if(NOT core_sources)
  message(FATAL_ERROR "src/ holds no C file: the checkout is not complete.")
endif()
add_library(lakebeat_core STATIC ${core_sources})
set_target_properties(lakebeat_core PROPERTIES LINKER_LANGUAGE C)
target_include_directories(lakebeat_core PUBLIC
  "${PROJECT_SOURCE_DIR}/include"
  "${PROJECT_SOURCE_DIR}/src")
target_compile_definitions(lakebeat_core PUBLIC LAKEBEAT_VERSION="${PROJECT_VERSION}")
target_link_libraries(lakebeat_core
  PUBLIC lakebeat_build_flags lakebeat_warnings lakebeat_nanoarrow lakebeat_adbc_header
    PkgConfig::curl PkgConfig::lz4 PkgConfig::zstd Threads::Threads m)

# What `make` builds: the driver without its tests.
add_custom_target(driver)

file(GLOB adbc_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/adbc/*.c")
list(FILTER adbc_sources EXCLUDE REGEX "_test\\.c$")
if(adbc_sources)
  add_library(adbc_driver_lakebeat SHARED $<TARGET_OBJECTS:lakebeat_core>)
  set_target_properties(adbc_driver_lakebeat PROPERTIES
    LINKER_LANGUAGE C
    LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}"
    LINK_DEPENDS "${PROJECT_SOURCE_DIR}/cmake/adbc_driver_lakebeat.map")
  target_link_libraries(adbc_driver_lakebeat
    PRIVATE lakebeat_module_link lakebeat_build_flags lakebeat_nanoarrow
      PkgConfig::curl PkgConfig::lz4 PkgConfig::zstd Threads::Threads m)
  add_dependencies(driver adbc_driver_lakebeat)
endif()
