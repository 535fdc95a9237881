"""Builders of volume specifications, with the parameters of flowServ's, and the two ways of naming several."""

from __future__ import annotations

import os
from typing import Any, Dict, List, Mapping, Optional, Sequence, Union

from .specs import Spec

#: The name of the volume of a run that workers without a `volume` have access to.
DEFAULT_STORE = "__default__"


def FStore(basedir: Union[str, "os.PathLike[str]"], identifier: Optional[str] = None) -> Spec:
    """Gives the specification of a directory of this machine."""
    return _spec("fs", identifier, basedir=os.fspath(basedir))


def S3Bucket(
    bucket: str, prefix: Optional[str] = None, identifier: Optional[str] = None, **arguments: Any
) -> Spec:
    """Gives the specification of a bucket that is spoken to as Amazon's S3.

    `arguments` are `endpoint`, `region`, `access_key`, `secret_key`, `session_token`, `profile`
    and `timeout`; what is not given is found where Amazon's own tools look for it.
    """
    return _spec("s3", identifier, bucket=bucket, prefix=prefix, **arguments)


def GCBucket(
    bucket: str, prefix: Optional[str] = None, identifier: Optional[str] = None, **arguments: Any
) -> Spec:
    """Gives the specification of a bucket of Google Cloud Storage; `arguments` as for `S3Bucket`."""
    return _spec("gc", identifier, bucket=bucket, prefix=prefix, **arguments)


def Sftp(
    remotedir: str,
    hostname: str,
    port: Optional[int] = None,
    timeout: Optional[float] = None,
    look_for_keys: Optional[bool] = False,
    sep: Optional[str] = "/",
    identifier: Optional[str] = None,
    **arguments: Any,
) -> Spec:
    """Gives the specification of a directory on a server that is reached by SFTP.

    `arguments` are `username`, `password`, `private_key`, `passphrase` and `known_hosts`. The host
    key is checked in any case.
    """
    return _spec(
        "sftp",
        identifier,
        basedir=remotedir,
        hostname=hostname,
        port=port,
        timeout=timeout,
        look_for_keys=look_for_keys,
        sep=sep,
        **arguments,
    )


class VolumeManager:
    """The volumes of a run, and which files they have from the beginning.

    `stores` are specifications, one of which has the name `DEFAULT_STORE`; `files` maps keys to the
    names of the volumes that have their latest version.
    """

    def __init__(
        self, stores: Sequence[Spec], files: Optional[Mapping[str, Sequence[str]]] = None
    ) -> None:
        names = [_name(store) for store in stores]
        if DEFAULT_STORE not in names:
            raise ValueError("there is no volume with the name {!r}".format(DEFAULT_STORE))
        listed: Dict[str, List[str]] = {name: [] for name in names if name is not None}
        for key, places in (files or {}).items():
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


def DefaultVolume(basedir: Union[str, "os.PathLike[str]"]) -> VolumeManager:
    """Gives the volumes of a run that has one directory."""
    return VolumeManager([FStore(basedir, DEFAULT_STORE)])


def _name(store: Spec) -> Optional[str]:
    name: Optional[str] = store.get("name", store.get("id"))
    return name


def _spec(kind: str, identifier: Optional[str], **arguments: Any) -> Spec:
    given = {key: value for key, value in arguments.items() if value is not None}
    spec: Spec = {"type": kind, "args": given}
    spec["name"] = identifier if identifier is not None else os.urandom(16).hex()
    return spec
