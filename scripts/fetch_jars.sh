#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The jars of a Maven project's runtime dependencies, by Maven, into a folder that is not there
# yet. What Maven itself needs for that is fetched into a folder of its own and removed.
#
#   scripts/fetch_jars.sh POM FOLDER [LIST]
#
# LIST (as of sha256sum) names every jar by its hash: a jar that differs, lacks or is not in
# it makes this fail, and FOLDER is not made.
set -euo pipefail
pom=$(realpath "$1") folder=$2 list=${3:+$(realpath "$3")}
# hadoop-client-api is shaded and clashes with hadoop-common; one binding of slf4j is enough.
left_out=hadoop-client-api,slf4j-log4j12,slf4j-reload4j,log4j,reload4j

work=$(mktemp -d "$(dirname "$folder")/.jars-XXXXXX")
trap 'rm -rf "$work"' EXIT
mvn -q -B -C -f "$pom" -Dmaven.repo.local="$work/repository" \
  org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
  -DincludeScope=runtime -DexcludeArtifactIds="$left_out" -DoutputDirectory="$work/jars" >&2
find "$work/jars" -type f ! -name '*.jar' -delete # parents that have no jar
if [ -n "$list" ]; then
  (cd "$work/jars" && sha256sum --check --quiet --strict "$list")
  diff <(sed -n 's/^[0-9a-f]* [ *]//p' "$list" | sort) <(ls "$work/jars" | sort) >&2 ||
    { echo "fetch_jars: there are other jars than $(basename "$list") names" >&2; exit 1; }
fi
mv "$work/jars" "$folder"
