# SPDX-License-Identifier: Apache-2.0
# Fuzzers: with LAKEBEAT_FUZZ each tests/fuzz/fuzz_<name>.c is a libFuzzer program in
# <build>/fuzzers/. Every other build with tests makes <build>/replay/fuzz_<name> of each, a
# plain program that gives it the inputs of tests/fuzz/corpus.

file(GLOB fuzzers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/fuzz/fuzz_*.c")

if(LAKEBEAT_FUZZ)
  add_custom_target(fuzzers)
  foreach(source IN LISTS fuzzers)
    cmake_path(GET source STEM name)
    add_executable(${name} "${source}")
    set_target_properties(${name} PROPERTIES
      RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/fuzzers")
    target_link_libraries(${name} PRIVATE lakebeat_core)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    add_dependencies(fuzzers ${name})
  endforeach()
else()
  add_library(lakebeat_replay OBJECT "${PROJECT_SOURCE_DIR}/tests/fuzz/replay.c")
  target_link_libraries(lakebeat_replay PRIVATE lakebeat_build_flags)
  foreach(source IN LISTS fuzzers)
    cmake_path(GET source STEM name)
    add_executable(${name} "${source}" $<TARGET_OBJECTS:lakebeat_replay>)
    set_target_properties(${name} PROPERTIES
      RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/replay")
    target_link_libraries(${name} PRIVATE lakebeat_core)
  endforeach()
endif()
