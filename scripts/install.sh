#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Puts the release build and its ADBC manifest in place, or takes them away again.
#
#   [PREFIX=...] [DESTDIR=...] [ALIAS=databricks] scripts/install.sh install|uninstall
#
# Without PREFIX: root installs for everyone (/usr/local and /etc/adbc/drivers), anybody else
# for oneself (~/.local and ~/.config/adbc/drivers). With a PREFIX other than /usr or
# /usr/local the manifest goes to PREFIX/etc/adbc/drivers, where driver managers look inside
# a virtual environment. ALIAS is a second name for connect(driver=...).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build=${LAKEBEAT_BUILD_DIR:-build/release}
prefix=${PREFIX:-}
if [ -z "$prefix" ]; then
  if [ "$(id -u)" -eq 0 ] || [ -n "${DESTDIR:-}" ]; then
    prefix=/usr/local
  else
    prefix=$HOME/.local
  fi
fi
case "$prefix" in
  /*) ;;
  *) echo "install: PREFIX must be an absolute path, not '$prefix'" >&2; exit 2 ;;
esac
case "$prefix" in
  /usr | /usr/local) manifests=/etc/adbc/drivers ;;
  "${HOME:-/}/.local") manifests=${XDG_CONFIG_HOME:-$HOME/.config}/adbc/drivers ;;
  *) manifests=$prefix/etc/adbc/drivers ;;
esac
case "${ALIAS:-}" in
  */* | *.* | profile)
    echo "install: ALIAS is a bare name such as databricks, not '$ALIAS'" >&2; exit 2 ;;
esac

# Another driver may own the name that ALIAS asks for.
alias_file=${DESTDIR:-}$manifests/${ALIAS:-lakebeat}.toml
if [ -e "$alias_file" ] && ! grep -q '^name = "lakebeat"$' "$alias_file"; then
  echo "install: $alias_file belongs to another driver; take it away, or choose another" \
    "ALIAS" >&2
  exit 1
fi

case "${1:-}" in
  install)
    [ -f "$build/libadbc_driver_lakebeat.so" ] ||
      { echo "install: $build holds no driver; run make first" >&2; exit 1; }
    LAKEBEAT_MANIFEST_DIR=$manifests LAKEBEAT_ALIAS=${ALIAS:-} \
      cmake --install "$build" --prefix "$prefix"
    ;;
  uninstall)
    library=$(sed -n 's/^CMAKE_INSTALL_LIBDIR:[A-Z]*=//p' "$build/CMakeCache.txt")
    files=("$prefix/${library:-lib}/libadbc_driver_lakebeat.so" "$manifests/lakebeat.toml")
    [ -z "${ALIAS:-}" ] || files+=("$manifests/$ALIAS.toml")
    for file in "${files[@]}"; do
      rm -fv "${DESTDIR:-}$file"
    done
    ;;
  *) sed -n '3,11s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
