# SPDX-License-Identifier: Apache-2.0
# What lakebeat stands on. Libraries of the system come through pkg-config; nanoarrow and
# adbc.h from an installed copy when a distributor names one (-Dnanoarrow_DIR=...,
# -DLAKEBEAT_ADBC_INCLUDE_DIR=...), else from the archives that ./setup has unpacked.

set(nanoarrow_pinned 0.9.0)
set(adbc_pinned 1.13.0)

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
function(lakebeat_require_package target module package)
  pkg_check_modules(${target} QUIET IMPORTED_TARGET ${module})
  if(NOT ${target}_FOUND)
    message(FATAL_ERROR
      "${module} was not found. Run ./setup, or install the package ${package}.")
  endif()
endfunction()
lakebeat_require_package(curl "libcurl>=7.87" libcurl4-openssl-dev)
lakebeat_require_package(lz4 liblz4 liblz4-dev)
lakebeat_require_package(zstd libzstd libzstd-dev)

# adbc.h
set(LAKEBEAT_ADBC_INCLUDE_DIR "" CACHE PATH "Folder of an installed arrow-adbc/adbc.h")
set(adbc_include "${LAKEBEAT_ADBC_INCLUDE_DIR}")
if(NOT adbc_include)
  set(adbc_include
    "${LAKEBEAT_DEPS_DIR}/adbc_driver_manager-${adbc_pinned}/adbc_driver_manager")
endif()
if(NOT EXISTS "${adbc_include}/arrow-adbc/adbc.h")
  message(FATAL_ERROR "arrow-adbc/adbc.h is not in ${adbc_include}. Run ./setup.")
endif()
add_library(lakebeat_adbc_header INTERFACE)
target_include_directories(lakebeat_adbc_header SYSTEM INTERFACE "${adbc_include}")
# The header leaves this empty outside Windows; everything else in the library is hidden.
target_compile_definitions(lakebeat_adbc_header INTERFACE
  "ADBC_EXPORT=__attribute__((visibility(\"default\")))")

# nanoarrow with its IPC part
set(nanoarrow_source "${LAKEBEAT_DEPS_DIR}/nanoarrow-${nanoarrow_pinned}")
# Only when it is named: a copy that happens to be installed has neither this symbol prefix
# nor, perhaps, the same codecs.
if(nanoarrow_DIR)
  find_package(nanoarrow ${nanoarrow_pinned} CONFIG REQUIRED)
  add_library(lakebeat_nanoarrow INTERFACE)
  target_link_libraries(lakebeat_nanoarrow INTERFACE
    nanoarrow::nanoarrow nanoarrow::nanoarrow_ipc)
  return()
endif()
if(NOT EXISTS "${nanoarrow_source}/subprojects/arrow-nanoarrow")
  message(FATAL_ERROR "nanoarrow ${nanoarrow_pinned} is not in ${LAKEBEAT_DEPS_DIR}. "
    "Run ./setup, or point -Dnanoarrow_DIR at an installed copy.")
endif()

set(nanoarrow_src "${nanoarrow_source}/subprojects/arrow-nanoarrow/src")
file(GLOB flatcc_root "${nanoarrow_source}/subprojects/flatcc-*")
list(FILTER flatcc_root EXCLUDE REGEX "\\.wrap$")

# The symbol prefix keeps this copy apart from one that the host program has linked itself.
string(REGEX MATCH "^([0-9]+)\\.([0-9]+)\\.([0-9]+)$" _ "${nanoarrow_pinned}")
set(NANOARROW_VERSION ${nanoarrow_pinned})
set(NANOARROW_VERSION_MAJOR ${CMAKE_MATCH_1})
set(NANOARROW_VERSION_MINOR ${CMAKE_MATCH_2})
set(NANOARROW_VERSION_PATCH ${CMAKE_MATCH_3})
set(NANOARROW_NAMESPACE_DEFINE "#define NANOARROW_NAMESPACE lakebeat")
configure_file("${nanoarrow_src}/nanoarrow/nanoarrow_config.h.in"
  "${PROJECT_BINARY_DIR}/generated/nanoarrow/nanoarrow/nanoarrow_config.h" @ONLY)

add_library(lakebeat_nanoarrow STATIC
  "${nanoarrow_src}/nanoarrow/common/array.c"
  "${nanoarrow_src}/nanoarrow/common/array_stream.c"
  "${nanoarrow_src}/nanoarrow/common/schema.c"
  "${nanoarrow_src}/nanoarrow/common/utils.c"
  "${nanoarrow_src}/nanoarrow/ipc/codecs.c"
  "${nanoarrow_src}/nanoarrow/ipc/decoder.c"
  "${nanoarrow_src}/nanoarrow/ipc/encoder.c"
  "${nanoarrow_src}/nanoarrow/ipc/reader.c"
  "${nanoarrow_src}/nanoarrow/ipc/writer.c"
  "${flatcc_root}/src/runtime/builder.c"
  "${flatcc_root}/src/runtime/emitter.c"
  "${flatcc_root}/src/runtime/refmap.c"
  "${flatcc_root}/src/runtime/verifier.c")
target_include_directories(lakebeat_nanoarrow SYSTEM PUBLIC
  "${PROJECT_BINARY_DIR}/generated/nanoarrow"
  "${nanoarrow_src}"
  "${flatcc_root}/include")
target_compile_definitions(lakebeat_nanoarrow PRIVATE
  NANOARROW_IPC_WITH_LZ4 NANOARROW_IPC_WITH_ZSTD
  # NDEBUG in every build: these are the library's own assertions on its own state, and its
  # debug mode changes what its macros accept.
  NDEBUG)
target_compile_options(lakebeat_nanoarrow PRIVATE -w)
target_link_libraries(lakebeat_nanoarrow
  PRIVATE lakebeat_build_flags PkgConfig::lz4 PkgConfig::zstd)
