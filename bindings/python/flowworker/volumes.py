"""Builders of volume specifications with flowServ's parameters, and `VolumeManager`, which collects several."""

from __future__ import annotations

import os
from typing import Any, Dict, List, Mapping, Optional, Sequence

from ._documents import spec_list
from ._options import Seconds
from ._values import Path, options, path_text, require
from .specs import Spec

#: The name of the volume that workers without a `volume` use.
DEFAULT_STORE = "__default__"


def FStore(basedir: Path, identifier: Optional[str] = None) -> Spec:
    """Returns the specification of a directory of this machine."""
    return _spec("fs", identifier, basedir=path_text(basedir, "basedir"))


def S3Bucket(bucket: str, prefix: Optional[str] = None, identifier: Optional[str] = None, **arguments: Any) -> Spec:
    """Returns the specification of a bucket of Amazon S3, or of a service with the same protocol.

    `arguments` are `endpoint`, `region`, `access_key`, `secret_key`, `session_token`, `profile` and `timeout`. Values
    that are not given are looked up where Amazon's own tools find them.
    """
    return _spec("s3", identifier, bucket=bucket, prefix=prefix, **arguments)


def GCBucket(bucket: str, prefix: Optional[str] = None, identifier: Optional[str] = None, **arguments: Any) -> Spec:
    """Returns the specification of a bucket of Google Cloud Storage; `arguments` as for `S3Bucket`."""
    return _spec("gc", identifier, bucket=bucket, prefix=prefix, **arguments)


def Sftp(
    remotedir: Path,
    hostname: str,
    port: Optional[int] = None,
    timeout: Optional[Seconds] = None,
    look_for_keys: Optional[bool] = False,
    sep: Optional[str] = "/",
    identifier: Optional[str] = None,
    **arguments: Any,
) -> Spec:
    """Returns the specification of a directory on an SFTP server.

    `arguments` are `username`, `password`, `private_key`, `passphrase` and `known_hosts`. The `ssh` program makes the
    connection, and reads its own configuration too. The host key is always checked.
    """
    return _spec(
        "sftp",
        identifier,
        basedir=path_text(remotedir, "remotedir"),
        hostname=hostname,
        port=port,
        timeout=timeout,
        look_for_keys=look_for_keys,
        sep=sep,
        **arguments,
    )


class VolumeManager:
    """The volumes of a run, and the files that they have at its beginning.

    `stores` are specifications, one of which has the name `DEFAULT_STORE`. `files` maps keys to the names of the
    volumes that have their latest version. Raises ValueError if the default volume is missing or a name is unknown.
    """

    def __init__(self, stores: Sequence[Spec], files: Optional[Mapping[Any, Sequence[str]]] = None) -> None:
        stores = spec_list(stores, "stores")
        names = [volume_name(store) for store in stores]
        if DEFAULT_STORE not in names:
            raise ValueError("stores: expected a volume with the name {!r} among them".format(DEFAULT_STORE))
        listed: Dict[str, List[str]] = {name: [] for name in names if name is not None}
        if files is not None:
            require(files, Mapping, "files", "a mapping of keys to lists of volumes")
        for path, places in (files or {}).items():
            key = path_text(path, "files")
            require(places, (list, tuple, set, frozenset), "files", "a list of the volumes that have each file")
            for place in places:
                if place not in listed:
                    raise ValueError(
                        "the file {!r} is listed in the volume {!r}, but the known volumes are {}".format(
                            key, place, sorted(listed)
                        )
                    )
                listed[place].append(key)
        self.specs: List[Spec] = []
        for store, name in zip(stores, names):
            added = listed[name] if name is not None else []
            self.specs.append({**store, "files": list(store.get("files", [])) + added})


def DefaultVolume(basedir: Path) -> VolumeManager:
    """Returns the volumes of a run that uses a single directory."""
    return VolumeManager([FStore(basedir, DEFAULT_STORE)])


def volume_name(store: Spec) -> Optional[str]:
    """Returns the name in the specification of a volume; flowServ's documents have it under `id`."""
    name: Optional[str] = store.get("name", store.get("id"))
    return name


def _spec(kind: str, identifier: Optional[str], **arguments: Any) -> Spec:
    if identifier is not None:
        require(identifier, str, "identifier", "a string")
    given = {key: options(value) for key, value in arguments.items() if value is not None}
    spec: Spec = {"type": kind, "args": given}
    spec["name"] = identifier if identifier is not None else os.urandom(16).hex()
    return spec
