# SPDX-License-Identifier: Apache-2.0
"""A build backend that knows one thing: the metadata that a source archive already carries.

pip asks an archive's build backend for its metadata before it hands the archive over. The
real backends would fetch and run compilers and generators for that. With this folder first
on PYTHONPATH and --no-build-isolation, pip finds these few lines under the backend's name
instead, and no line of the archive is run.
"""

import pathlib


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    text = pathlib.Path("PKG-INFO").read_text(encoding="utf-8")
    head = text.split("\n\n", 1)[0].splitlines()
    fields = dict(line.split(": ", 1) for line in head if ": " in line and line[0] != " ")
    stem = fields["Name"].replace("-", "_") + "-" + fields["Version"]
    folder = pathlib.Path(metadata_directory) / (stem + ".dist-info")
    folder.mkdir()
    (folder / "METADATA").write_text(text, encoding="utf-8")
    return folder.name


def get_requires_for_build_wheel(config_settings=None):
    return []


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    raise RuntimeError("this archive is only unpacked, never built")
