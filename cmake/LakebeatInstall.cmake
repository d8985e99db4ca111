# SPDX-License-Identifier: Apache-2.0
# The library, and the manifest by which driver managers find it under the name "lakebeat".
#
# The manifest is written when installing, so that a --prefix given then is the one in it.
# Two variables of the environment are read then: LAKEBEAT_MANIFEST_DIR (absolute or below
# the prefix; etc/adbc/drivers if unset, which is where driver managers look inside a virtual
# environment) and LAKEBEAT_ALIAS (a second name for the same manifest).

if(TARGET adbc_driver_lakebeat)
  install(TARGETS adbc_driver_lakebeat LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")

  # The architecture's name as driver managers write it.
  string(TOLOWER "${CMAKE_SYSTEM_PROCESSOR}" processor)
  if(processor STREQUAL "x86_64" OR processor STREQUAL "amd64")
    set(adbc_platform linux_amd64)
  elseif(processor STREQUAL "aarch64" OR processor STREQUAL "arm64")
    set(adbc_platform linux_arm64)
  else()
    set(adbc_platform "linux_${processor}")
  endif()

  set(manifest_installer "${PROJECT_BINARY_DIR}/generated/install_manifest.cmake")
  configure_file("${PROJECT_SOURCE_DIR}/cmake/install_manifest.cmake.in"
    "${manifest_installer}" @ONLY)
  install(SCRIPT "${manifest_installer}")
endif()
