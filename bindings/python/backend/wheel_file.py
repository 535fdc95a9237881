"""A wheel as a table of files, which can be added to and written again. The same files give the same bytes."""

from __future__ import annotations

import base64
import hashlib
import os
import time
import zipfile
from pathlib import Path
from typing import Dict, Tuple


class Wheel:
    """The files of a wheel. `directory` is the name of its dist-info."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self.files: Dict[str, Tuple[bytes, int]] = {}
        with zipfile.ZipFile(str(path)) as archive:
            for entry in archive.infolist():
                if not entry.is_dir():
                    self.files[entry.filename] = archive.read(entry), (entry.external_attr >> 16) & 0o777
        self.directory = next(name for name in self.files if name.endswith(".dist-info/WHEEL")).split("/")[0]

    def add(self, name: str, content: bytes, mode: int = 0o644) -> None:
        """Adds or replaces a file."""
        self.files[name] = content, mode

    def text(self, name: str) -> str:
        """The text of a file of the dist-info."""
        return self.files["{}/{}".format(self.directory, name)][0].decode()

    def set_text(self, name: str, text: str) -> None:
        """Replaces a file of the dist-info."""
        self.add("{}/{}".format(self.directory, name), text.encode())

    def set_platform(self, platform: str) -> None:
        """Makes the wheel one of a platform, where it was one of any."""
        lines = []
        for line in self.text("WHEEL").splitlines():
            if line.startswith("Root-Is-Purelib:"):
                line = "Root-Is-Purelib: false"
            elif line.startswith("Tag:"):
                line = "Tag: py3-none-" + platform
            lines.append(line)
        self.set_text("WHEEL", "\n".join(lines) + "\n")
        self.name = "-".join(self.name.split("-")[:2]) + "-py3-none-{}.whl".format(platform)

    def write(self, folder: Path) -> str:
        """Writes the wheel, and returns its name. Each file has the time SOURCE_DATE_EPOCH, or the first of zip's."""
        moment = time.gmtime(max(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), 315532800))[:6]
        record = self.directory + "/RECORD"
        self.files.pop(record, None)
        rows = []
        for name, (content, _) in sorted(self.files.items()):
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            rows.append("{},sha256={},{}\n".format(name, digest, len(content)))
        self.add(record, ("".join(rows) + record + ",,\n").encode())
        # The dist-info is at the end of the archive, as PEP 427 recommends.
        names = sorted(self.files, key=lambda name: (name.startswith(self.directory), name))
        with zipfile.ZipFile(str(folder / self.name), "w", zipfile.ZIP_DEFLATED) as archive:
            for name in names:
                content, mode = self.files[name]
                entry = zipfile.ZipInfo(name, moment)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.create_system = 3
                entry.external_attr = (0o100000 | mode) << 16
                archive.writestr(entry, content)
        return self.name
