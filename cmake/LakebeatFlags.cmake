# SPDX-License-Identifier: Apache-2.0
# Three interface targets: lakebeat_build_flags go to every line that is compiled, bundled
# sources included (sanitizers must see both sides of a call); lakebeat_warnings only to our
# own code; lakebeat_module_link only to the shared library that others load.

add_library(lakebeat_build_flags INTERFACE)
target_compile_options(lakebeat_build_flags INTERFACE
  -fno-strict-aliasing
  -fstack-protector-strong
  -ffunction-sections
  -fdata-sections
  # No path of the machine that built it ends up in the library.
  "-ffile-prefix-map=${PROJECT_SOURCE_DIR}/="
  "-ffile-prefix-map=${PROJECT_BINARY_DIR}/=build/"
  "-ffile-prefix-map=${LAKEBEAT_DEPS_DIR}/=deps/")

if(LAKEBEAT_SANITIZE)
  target_compile_options(lakebeat_build_flags INTERFACE
    -fsanitize=${LAKEBEAT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(lakebeat_build_flags INTERFACE -fsanitize=${LAKEBEAT_SANITIZE})
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(lakebeat_build_flags INTERFACE
    -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif()

# LB_ASSERT(!"what is wrong") is meant: clang's string conversion warning is off.
add_library(lakebeat_warnings INTERFACE)
target_compile_options(lakebeat_warnings INTERFACE
  -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wvla
  -Wmissing-prototypes -Wstrict-prototypes -Wold-style-definition
  -Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef -Wformat=2
  -Wdouble-promotion -Wimplicit-fallthrough
  $<$<C_COMPILER_ID:GNU>:-Wlogical-op;-Wduplicated-cond;-Wduplicated-branches>
  $<$<C_COMPILER_ID:Clang>:-Wthread-safety;-Wcomma;-Wunreachable-code-return;-Wno-string-conversion>
  $<$<BOOL:${LAKEBEAT_WERROR}>:-Werror>)
target_compile_definitions(lakebeat_warnings INTERFACE
  _GNU_SOURCE
  $<$<BOOL:${LAKEBEAT_DEBUG}>:LB_DEBUG=1>)

add_library(lakebeat_module_link INTERFACE)
target_link_options(lakebeat_module_link INTERFACE
  "-Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/adbc_driver_lakebeat.map"
  # The I/O thread may still run when the host calls dlclose, so its code stays mapped.
  -Wl,-z,nodelete
  -Wl,-z,relro,-z,now
  -Wl,--gc-sections
  -Wl,--as-needed)
if(NOT LAKEBEAT_SANITIZE)
  # A sanitizer's runtime belongs to the program, so its symbols stay open in a library.
  target_link_options(lakebeat_module_link INTERFACE -Wl,-z,defs)
endif()
