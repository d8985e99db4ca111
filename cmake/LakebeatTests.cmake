# SPDX-License-Identifier: Apache-2.0
# Unit tests: each src/<room>/<name>_test.c is one program and one ctest, <room>/<name>.
# Helpers that several of them share live in tests/unit/*.c.
# End-to-end programs: each tests/c/<name>.c, built into <build>/e2e/, started with a server;
# what they share lives in tests/c/support/*.c. Those of the conformance suite are
# tests/adbc/*.c, and share tests/adbc/support/*.c besides. They contain the driver, so that they can ask
# its allocator what is left at the end.
# Soak: tests/soak/*.c, built into <build>/soak/; tests/soak/soak.py runs them.
# Benchmark: bench/*.c, built into <build>/bench/; bench/run.py runs them.
# Examples: each examples/*.c or examples/c/*.c, built into <build>/examples/.

lakebeat_require_package(cmocka cmocka libcmocka-dev)

set(sanitizer_environment
  "ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1"
  "UBSAN_OPTIONS=print_stacktrace=1"
  "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1")

file(GLOB unit_support CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/unit/*.c")
set(unit_support_library "")
if(unit_support)
  add_library(lakebeat_unit_support STATIC ${unit_support})
  target_include_directories(lakebeat_unit_support PUBLIC "${PROJECT_SOURCE_DIR}/tests/unit")
  target_link_libraries(lakebeat_unit_support PUBLIC lakebeat_core PkgConfig::cmocka)
  set(unit_support_library lakebeat_unit_support)
endif()

file(GLOB unit_tests CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/*/*_test.c")
foreach(source IN LISTS unit_tests)
  cmake_path(GET source STEM stem)
  cmake_path(GET source PARENT_PATH room)
  cmake_path(GET room FILENAME room)
  set(target "${room}_${stem}")
  string(REGEX REPLACE "_test$" "" name "${stem}")
  add_executable(${target} "${source}")
  set_target_properties(${target} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/unit")
  target_link_libraries(${target} PRIVATE ${unit_support_library} lakebeat_core
    PkgConfig::cmocka)
  add_test(NAME "${room}/${name}" COMMAND ${target}
    WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
  set_tests_properties("${room}/${name}" PROPERTIES
    TIMEOUT 240
    LABELS "unit;${room}"
    ENVIRONMENT "${sanitizer_environment};LAKEBEAT_SOURCE_DIR=${PROJECT_SOURCE_DIR}")
endforeach()

function(lakebeat_add_programs folder driver)
  foreach(source IN LISTS ARGN)
    cmake_path(GET source STEM name)
    set(target "${folder}_${name}")
    add_executable(${target} "${source}")
    set_target_properties(${target} PROPERTIES
      OUTPUT_NAME "${name}"
      RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/${folder}")
    target_link_libraries(${target} PRIVATE ${driver} lakebeat_adbc_header
      lakebeat_build_flags lakebeat_warnings Threads::Threads ${CMAKE_DL_LIBS} m)
    target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/include")
  endforeach()
endfunction()

if(TARGET adbc_driver_lakebeat)
  file(GLOB e2e_programs CONFIGURE_DEPENDS
    "${PROJECT_SOURCE_DIR}/tests/c/*.c" "${PROJECT_SOURCE_DIR}/tests/adbc/*.c")
  file(GLOB e2e_support CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/c/support/*.c")
  file(GLOB conform_support CONFIGURE_DEPENDS
    "${PROJECT_SOURCE_DIR}/tests/adbc/support/*.c")
  lakebeat_add_programs(e2e lakebeat_core ${e2e_programs})
  foreach(source IN LISTS e2e_programs)
    cmake_path(GET source STEM name)
    target_sources(e2e_${name} PRIVATE ${e2e_support})
    target_include_directories(e2e_${name} PRIVATE "${PROJECT_SOURCE_DIR}/tests/c/support")
    if(source MATCHES "/tests/adbc/")
      target_sources(e2e_${name} PRIVATE ${conform_support})
      target_include_directories(e2e_${name} PRIVATE
        "${PROJECT_SOURCE_DIR}/tests/adbc/support")
    endif()
  endforeach()

  # Counts what the driver in it copies.
  target_link_options(e2e_e2e_copies PRIVATE
    LINKER:--wrap=memcpy LINKER:--wrap=memmove)

  file(GLOB soak_programs CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/soak/*.c")
  lakebeat_add_programs(soak lakebeat_core ${soak_programs})
  target_link_libraries(soak_virtual PRIVATE PkgConfig::cmocka)

  file(GLOB bench_programs CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/bench/*.c")
  lakebeat_add_programs(bench lakebeat_core ${bench_programs})
  # `consumer` loads the shared library as a program does; its twin contains the driver, and
  # tells how often it allocates.
  add_executable(bench_consumer_linked "${PROJECT_SOURCE_DIR}/bench/consumer.c")
  set_target_properties(bench_consumer_linked PROPERTIES
    OUTPUT_NAME consumer_linked
    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bench")
  target_compile_definitions(bench_consumer_linked PRIVATE BENCH_LINKED)
  target_link_libraries(bench_consumer_linked PRIVATE lakebeat_core lakebeat_warnings
    ${CMAKE_DL_LIBS})
  add_custom_target(bench)
  add_dependencies(bench bench_floor bench_consumer bench_consumer_linked adbc_driver_lakebeat)

  file(GLOB examples CONFIGURE_DEPENDS
    "${PROJECT_SOURCE_DIR}/examples/*.c" "${PROJECT_SOURCE_DIR}/examples/c/*.c")
  lakebeat_add_programs(examples adbc_driver_lakebeat ${examples})
endif()
