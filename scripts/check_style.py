#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The house rules that a compiler does not check. Prints file:line: rule: what, exits 1.

    scripts/check_style.py [FILE...]      without files: everything git tracks or could track

Rules: spdx, tab, trailing-space, width, include-direction, banned-call, function-size,
file-size, machine-path, registry-host, unfinished. A line of scripts/style_exceptions.txt
excuses one rule in one file; the number in its first line only ever goes down.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
EXCEPTIONS = "scripts/style_exceptions.txt"

MAX_WIDTH = 90
MAX_FUNCTION_LINES = 80
MAX_FILE_LINES = 1000

# A room includes itself and those before it; the front ends share the last rank and never
# include one another.
ROOM_RANK = {
    "lakebeat": 0,
    "base": 1,
    "wire": 2,
    "io": 3,
    "auth": 4,
    "session": 5,
    "result": 6,
    "adbc": 7,
    "odbc": 7,
    "cli": 7,
}
# io moves bytes and wire turns them into structs: neither knows the other.
ROOM_NEVER = {("io", "wire"), ("auth", "wire")}

BANNED = {
    "malloc|calloc|realloc|free|strdup|strndup|aligned_alloc|posix_memalign|asprintf"
    "|vasprintf": "use lb_alloc and its family (base/alloc.h)",
    "strcpy|strcat|sprintf|vsprintf|gets|strncpy|strncat": "use lb_buf (base/buf.h)",
    "strtok|strtok_r|atoi|atol|atoll|atof": "use the parsers of base/str.h",
    "rand|srand|random|srandom|rand_r": "use base/random.h",
    "system|popen|abort|exit|_exit|quick_exit": "return a status; the process is not ours",
    "printf|fprintf|vprintf|vfprintf|puts|fputs|putchar|perror": "use base/log.h",
    "getenv|secure_getenv|setenv|unsetenv|putenv": "use base/os.h",
    "pthread_\\w+": "use base/mutex.h or base/os.h",
    "assert": "use LB_ASSERT (base/base.h)",
    "setjmp|longjmp|alloca|signal": "it has no place in a library",
    "strerror": "use strerror_r through base/os.h: strerror is not thread-safe",
    "localtime|gmtime|asctime|ctime": "use the _r forms: these share one buffer",
}
# Where a banned call is the very thing that the file wraps.
ALLOWED = {
    "src/base/alloc.c": {"malloc", "calloc", "realloc", "free"},
    "src/base/assert.c": {"abort"},
    "src/base/mutex.c": {"pthread_*", "abort"},
    "src/base/os_linux.c": {"getenv", "secure_getenv", "pthread_*"},
    "src/cli/": {"printf", "fprintf", "puts", "fputs"},
}
# Tests fork, set variables and print; what they take from the heap is still counted.
ALLOWED_IN_TESTS = {"signal", "getenv", "setenv", "unsetenv", "_exit", "exit", "printf", "fprintf"}

TEXT_SUFFIXES = {
    ".c", ".h", ".def", ".py", ".md", ".txt", ".in", ".cmake", ".json", ".map", ".toml",
    ".yml", ".yaml", ".sh", ".sql", ".thrift", ".cfg", ".ini", "",
}
NO_SPDX = {"LICENSE", "NOTICE", "VERSION"}
NO_SPDX_SUFFIXES = {".json", ".md", ".hex"}

# Written in pieces, so that this file does not find itself.
MACHINE_PATH = re.compile(r"(?<![\w./$}])/(?:work" r"/|root" r"/|farm" r"/|home" r"/\w)")
REGISTRY_HOST = re.compile(
    r"\b(?:pypi\.(?:org|io)|files\.python" r"hosted|registry\.npm" r"js|crates\.(?:io)"
    r"|repo\d?\.maven|deb\.debian" r"|archive\.ubuntu|proxy\.golang" r")", re.I)
UNFINISHED = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|X{3}\b|HA" r"CK)\b|\bfor n" r"ow\b|\bnot y" r"et "
                        r"implemented")


class Finding:
    def __init__(self, path, line, rule, text):
        self.path, self.line, self.rule, self.text = path, line, rule, text

    def __str__(self):
        return f"{self.path}:{self.line}: {self.rule}: {self.text}"


def strip_c(text):
    """The text with comments, strings and character constants blanked, lines kept."""
    pattern = re.compile(
        r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def check_text(path, text):
    suffix = pathlib.PurePath(path).suffix
    lines = text.split("\n")
    if pathlib.PurePath(path).name not in NO_SPDX and suffix not in NO_SPDX_SUFFIXES:
        head = lines[1] if lines[0].startswith("#!") and len(lines) > 1 else lines[0]
        if "SPDX-License-Identifier: Apache-2.0" not in head:
            yield Finding(path, 1, "spdx", "the first line names no Apache-2.0 licence")
    is_make = pathlib.PurePath(path).name == "Makefile"
    for number, line in enumerate(lines, 1):
        if "\t" in line and not is_make:
            yield Finding(path, number, "tab", "indent with spaces")
        if line.endswith(" ") and suffix != ".md":
            yield Finding(path, number, "trailing-space", "remove it")
        if suffix in (".c", ".h", ".def") and len(line) > MAX_WIDTH:
            yield Finding(path, number, "width", f"{len(line)} columns, {MAX_WIDTH} at most")
        if MACHINE_PATH.search(line):
            yield Finding(path, number, "machine-path", "names a folder of one machine")
        if REGISTRY_HOST.search(line):
            yield Finding(path, number, "registry-host", "name the package, not a host")
        if UNFINISHED.search(line):
            yield Finding(path, number, "unfinished", "finish it or make it a clear error")


def room_of(path):
    parts = path.split("/")
    if parts[0] == "include":
        return "lakebeat"
    return parts[1] if parts[0] == "src" and len(parts) > 2 else None


def check_includes(path, text):
    room = room_of(path)
    if room is None:
        return
    if room not in ROOM_RANK:
        yield Finding(path, 1, "include-direction", f"src/{room} is no known room")
        return
    for number, line in enumerate(text.split("\n"), 1):
        match = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
        if not match:
            continue
        target = match.group(1).split("/")[0]
        if "/" not in match.group(1):
            yield Finding(path, number, "include-direction",
                          f'"{match.group(1)}" names no room: write "{room}/..."')
        elif target in ROOM_RANK and target != room:
            if ROOM_RANK[target] >= ROOM_RANK[room] or (room, target) in ROOM_NEVER:
                yield Finding(path, number, "include-direction",
                              f"{room} must not know {target}")


def allowed_in(path, name):
    for place, names in ALLOWED.items():
        if path == place or (place.endswith("/") and path.startswith(place)):
            if name in names or (name.startswith("pthread_") and "pthread_*" in names):
                return True
    return False


def check_calls(path, text):
    if not path.startswith("src/"):
        return
    in_test = path.endswith(("_test.c", "test_support.h", "test_support.c", "test_torture.h"))
    for names, remedy in BANNED.items():
        for match in re.finditer(rf"(?<![\w.>])({names})\s*\(", strip_c(text)):
            name = match.group(1)
            if in_test and (name.startswith("pthread_") or name in ALLOWED_IN_TESTS):
                continue
            if not allowed_in(path, name):
                number = text.count("\n", 0, match.start()) + 1
                yield Finding(path, number, "banned-call", f"{name}: {remedy}")


def check_sizes(path, text):
    if pathlib.PurePath(path).suffix not in (".c", ".h", ".py"):
        return
    lines = text.rstrip("\n").split("\n")
    if len(lines) > MAX_FILE_LINES:
        yield Finding(path, len(lines), "file-size",
                      f"{len(lines)} lines, {MAX_FILE_LINES} at most")
    if path.endswith(".py"):
        return
    # In this format a function body opens at the end of an unindented line (or of a wrapped
    # parameter list) and closes with a brace in the first column.
    start = None
    for number, line in enumerate(strip_c(text).split("\n"), 1):
        if line[:1] == "}" and start is not None:
            length = number - start + 1
            if length > MAX_FUNCTION_LINES:
                yield Finding(path, start, "function-size",
                              f"{length} lines, {MAX_FUNCTION_LINES} at most")
            start = None
        elif re.match(r"[A-Za-z_]", line) and not line.startswith(("struct", "enum", "union")):
            start = number if "(" in line and "=" not in line else None
        elif re.match(r"(struct|enum|union)\b.*\(", line) and "=" not in line:
            start = number
        if start is not None and line.rstrip().endswith(";") and not line.startswith(" "):
            start = None


CHECKS = [check_text, check_includes, check_calls, check_sizes]


def check_one(path, text):
    c_only = (check_includes, check_calls)
    for check in CHECKS:
        if check in c_only and not path.endswith((".c", ".h", ".def")):
            continue
        yield from check(path, text)


def read_exceptions(text):
    """(ceiling, {(path, rule)}); the first line that is no comment is `limit N`."""
    rows = [line.split("#")[0].split() for line in text.splitlines()]
    rows = [row for row in rows if row]
    if not rows or len(rows[0]) != 2 or rows[0][0] != "limit":
        raise ValueError(f"{EXCEPTIONS}: the first line must be 'limit N'")
    if any(len(row) != 2 for row in rows[1:]):
        raise ValueError(f"{EXCEPTIONS}: every other line is '<path> <rule>'")
    return int(rows[0][1]), {(path, rule) for path, rule in rows[1:]}


def all_files():
    if not (ROOT / ".git").exists():  # a copy without its history
        for path in ROOT.rglob("*"):
            name = path.relative_to(ROOT)
            if name.parts[0] not in ("build", ".venv"):
                yield str(name)
        return
    # Whoever owns the folder: a container's user often does not.
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others",
               "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    yield from listed.decode().split("\0")


def tracked_files():
    for name in sorted(set(all_files()) - {""}):
        if (ROOT / name).is_file() and pathlib.PurePath(name).suffix in TEXT_SUFFIXES:
            yield name


def main():
    paths = [str(pathlib.Path(p).resolve().relative_to(ROOT)) for p in sys.argv[1:]]
    limit, excused = read_exceptions((ROOT / EXCEPTIONS).read_text(encoding="utf-8"))
    used = set()
    count = 0
    for path in paths or tracked_files():
        text = (ROOT / path).read_text(encoding="utf-8", errors="replace")
        for finding in check_one(path, text):
            if (path, finding.rule) in excused:
                used.add((path, finding.rule))
                continue
            print(finding)
            count += 1
    if len(excused) > limit:
        print(f"{EXCEPTIONS}:1: {len(excused)} exceptions, its limit is {limit}")
        count += 1
    if not paths:
        for path, rule in sorted(excused - used):
            print(f"{EXCEPTIONS}: {path} {rule} excuses nothing any more: remove the line")
            count += 1
        if len(excused) < limit:
            print(f"{EXCEPTIONS}:1: lower the limit to {len(excused)}: it only goes down")
            count += 1
    if count:
        sys.exit(f"check_style: {count} findings")
    print("check_style: no findings")


if __name__ == "__main__":
    main()
