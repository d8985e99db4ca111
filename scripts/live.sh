#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The server-neutral tests against a warehouse that the environment names.
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/.."
missing=()
for name in DATABRICKS_SERVER_HOSTNAME DATABRICKS_HTTP_PATH DATABRICKS_TOKEN; do
  [ -n "${!name:-}" ] || missing+=("$name")
done
if [ "${#missing[@]}" -gt 0 ]; then
  echo "live: not set in the environment: ${missing[*]}" >&2
  exit 2
fi
export LAKEBEAT_BUILD_DIR="${LAKEBEAT_BUILD_DIR:-$PWD/build/release}"
export LAKEBEAT_DRIVER="${LAKEBEAT_DRIVER:-$LAKEBEAT_BUILD_DIR/libadbc_driver_lakebeat.so}"
exec .venv/bin/python -m pytest -q -p no:cacheprovider --timeout 1800 tests/live "$@"
