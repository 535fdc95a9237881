"""Writes the dist-info of the Python package: metadata.py PYPROJECT VERSION FOLDER.

The package is a copy of the sources, because the backend of pyproject.toml makes wheels, which have the library inside.
"""

import sys
from pathlib import Path

import tomllib

pyproject, version, folder = sys.argv[1:]
project = tomllib.loads(Path(pyproject).read_text())["project"]
lines = [
    "Metadata-Version: 2.1",
    f"Name: {project['name']}",
    f"Version: {version}",
    f"Summary: {project['description']}",
    f"Requires-Python: {project['requires-python']}",
]
Path(folder).mkdir(parents=True)
(Path(folder) / "METADATA").write_text("\n".join(lines) + "\n")
(Path(folder) / "INSTALLER").write_text("debian\n")
