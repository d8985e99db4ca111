#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Everything that `make check` stands for, in the order in which a mistake is cheapest to
# learn of. Every step is run, whatever became of those before it, unless what it needs was
# not built; a summary closes the run and its status is 1 if any step failed.
#
#   scripts/check.sh [STEP...]      only the named steps; `list` names them
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=.venv/bin/python
export PATH="$PWD/.venv/bin:$PATH" PYTHONDONTWRITEBYTECODE=1
export LAKEBEAT_BUILD_DIR="$PWD/build/release"
export LAKEBEAT_DRIVER="$LAKEBEAT_BUILD_DIR/libadbc_driver_lakebeat.so"

# ThreadSanitizer's memory map collides with high-entropy address space randomisation.
without_aslr=()
if setarch -R true 2>/dev/null; then
  without_aslr=(setarch -R)
elif [ "$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 0)" -gt 28 ]; then
  echo "check: setarch -R is not allowed here, so programs under ThreadSanitizer may not start;" \
    "if so: sysctl vm.mmap_rnd_bits=28" >&2
fi

build() { # PRESET [CMAKE OPTION...]
  cmake --preset "$@" --log-level=WARNING >/dev/null && cmake --build --preset "$1" -j 2 -- --quiet
}
# Files run side by side, since most tests wait for somebody; the tests of one file in turn.
pytest() { "$python" -m pytest -q -p no:cacheprovider --timeout 300 --durations 5 -n 4 --dist loadfile "$@"; }
with_warehouse() { "$python" scripts/with_warehouse.py "$@"; }
programs() { with_warehouse scripts/run_programs.sh "build/$1/e2e" ; }

format() {
  local -a files
  mapfile -t files < <(find src include tests examples bench -name '*.[ch]' 2>/dev/null | sort)
  .venv/bin/clang-format --dry-run -Werror "${files[@]}" && echo "clang-format: ${#files[@]} files"
}

# name | what it needs to have passed | command
steps() {
  cat <<'EOF'
style           |         | "$python" scripts/check_style.py
format          |         | format
locks           |         | "$python" scripts/lock.py --check
release         |         | build release -DLAKEBEAT_WERROR=ON
symbols         | release | "$python" scripts/check_symbols.py build/release
scripts-tests   | release | pytest scripts/tests
clang           |         | build clang
tidy            | clang   | "$python" scripts/tidy.py build/clang
dev             |         | build dev -DLAKEBEAT_WERROR=ON
unit-asan       | dev     | ctest --preset dev --no-tests=error
torture         | dev     | "$python" scripts/torture.py build/dev/unit 4
fuzz-replay     | dev     | scripts/replay.sh build/dev/replay
tsan            |         | build tsan -DLAKEBEAT_WERROR=ON
unit-tsan       | tsan    | "${without_aslr[@]}" ctest --preset tsan --no-tests=error
warehouse-tests |         | pytest warehouse/tests
tests           | release | pytest tests --ignore tests/engines --ignore tests/live
live-on-local   | release | with_warehouse --tls scripts/live.sh
e2e-asan        | dev     | programs dev
faults-asan     | dev     | scripts/seeds.sh build/dev 6 -n 4 -k "fault or stay"
e2e-tsan        | tsan    | "${without_aslr[@]}" scripts/check.sh programs tsan
soak            | release | "$python" tests/soak/soak.py --short
bench-quick     | release | "$python" bench/run.py --quick
examples        | release | with_warehouse scripts/run_programs.sh build/release/examples {uri} {token}
EOF
}

case "${1:-}" in
  list) steps | cut -d '|' -f 1; exit 0 ;;
  programs) programs "$2"; exit ;;
esac

summary=()
bad=" "
count_passed=0 count_failed=0 count_skipped=0
while IFS='|' read -r name need command; do
  name=${name// /} need=${need// /}
  if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then
    continue
  fi
  if [ -n "$need" ] && [[ "$bad" == *" $need "* ]]; then
    summary+=("$(printf 'skip  %-16s because %s failed' "$name" "$need")")
    count_skipped=$((count_skipped + 1))
    bad+="$name "
    continue
  fi
  printf '\n=== %s\n' "$name"
  start=$SECONDS
  if eval "$command" </dev/null; then
    verdict=ok count_passed=$((count_passed + 1))
  else
    verdict=FAIL count_failed=$((count_failed + 1))
    bad+="$name "
  fi
  summary+=("$(printf '%-5s %-16s %4d s' "$verdict" "$name" $((SECONDS - start)))")
done < <(steps)

printf '\n=== summary (%d s)\n' "$SECONDS"
printf '%s\n' "${summary[@]}"
printf '%d steps passed, %d failed, %d skipped\n' "$count_passed" "$count_failed" "$count_skipped"
[ "$count_failed" -eq 0 ]
