"""The master key: 32 random bytes per version, in a file that only the service may read. It wraps the data keys.

File format: one line per version, `<version> <base64 of 32 bytes>`; the highest version wraps, all of them unwrap.
So the master key is changed by adding a line and wrapping the data keys anew; no event is rewritten."""

from __future__ import annotations

import base64
import binascii
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from privacy.errors import MasterKeyError

RandomBytes = Callable[[int], bytes]
KEY_BYTES = 32
VERSIONS_MAX = 1_000
FILE_BYTES_MAX = 64 * 1024


class MasterKeys:
    """Every version of the master key; `current` is the one that wraps new data keys."""

    __slots__ = ("_keys", "current")

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        if not keys:
            raise MasterKeyError("no master key version is given")
        if any(len(key) != KEY_BYTES for key in keys.values()):
            raise MasterKeyError(f"a master key must be {KEY_BYTES} bytes long")
        self._keys = dict(keys)
        self.current = max(keys)

    @property
    def versions(self) -> tuple[int, ...]:
        """All versions, oldest first."""
        return tuple(sorted(self._keys))

    def version(self, number: int) -> bytes:
        """The key of one version; KeyError if the file no longer holds it."""
        return self._keys[number]

    def __repr__(self) -> str:
        return f"MasterKeys(versions={self.versions})"


def load_master_keys(path: str | os.PathLike[str] | None) -> MasterKeys:
    """Read the master key file (setting CLAIMFLOW_MASTER_KEY_FILE); MasterKeyError says in one line what is wrong."""
    if path is None or not os.fspath(path):
        raise MasterKeyError("CLAIMFLOW_MASTER_KEY_FILE is not set; name the file that holds the master key")
    file = Path(path)
    try:
        mode = file.stat().st_mode
        with file.open("rb") as source:
            raw = source.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        raise MasterKeyError(
            f"the master key file {file} does not exist; restore it from its backup, or create one for a new system"
        ) from None
    except OSError as problem:
        raise MasterKeyError(f"the master key file {file} cannot be read: {problem.strerror}") from None
    if mode & stat.S_IRWXO:
        raise MasterKeyError(f"the master key file {file} is open to everybody; run chmod 600 on it")
    if len(raw) > FILE_BYTES_MAX:
        raise MasterKeyError(f"the master key file {file} is too large to be one")
    return MasterKeys(_parse(raw, file))


def create_master_key_file(path: str | os.PathLike[str], random_bytes: RandomBytes) -> MasterKeys:
    """Make a new master key at `path`, mode 0600, on disk before it returns; refuses to replace a file.

    Losing this file loses every person's data for good: back it up apart from the databases.
    """
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    _write_new(file, _line(1, random_bytes(KEY_BYTES)))
    return load_master_keys(file)


def add_master_key_version(path: str | os.PathLike[str], random_bytes: RandomBytes) -> MasterKeys:
    """Add the next version to the file, keeping the old ones until every data key is wrapped anew (`rewrap_some`)."""
    file = Path(path)
    held = load_master_keys(file)
    if len(held.versions) >= VERSIONS_MAX:
        raise MasterKeyError(f"the master key file {file} already holds {VERSIONS_MAX} versions")
    lines = [_line(number, held.version(number)) for number in held.versions]
    lines.append(_line(held.current + 1, random_bytes(KEY_BYTES)))
    fresh = file.with_name(file.name + ".new")
    fresh.unlink(missing_ok=True)
    _write_new(fresh, b"".join(lines))
    fresh.replace(file)
    _sync_folder(file.parent)
    return load_master_keys(file)


def _line(version: int, key: bytes) -> bytes:
    return b"%d %s\n" % (version, base64.b64encode(key))


def _write_new(file: Path, content: bytes) -> None:
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise MasterKeyError(f"the master key file {file} exists already and is not replaced") from None
    except OSError as problem:
        raise MasterKeyError(f"the master key file {file} cannot be written: {problem.strerror}") from None
    with os.fdopen(handle, "wb") as target:
        target.write(content)
        target.flush()
        os.fsync(target.fileno())
    _sync_folder(file.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _parse(raw: bytes, file: Path) -> dict[int, bytes]:
    keys: dict[int, bytes] = {}
    for number, line in enumerate(raw.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            version_text, key_text = line.split()
            version, key = int(version_text), base64.b64decode(key_text, validate=True)
        except (ValueError, binascii.Error):
            raise MasterKeyError(f"line {number} of the master key file {file} is not a version and a key") from None
        if version < 1 or version in keys or len(key) != KEY_BYTES:
            raise MasterKeyError(f"line {number} of the master key file {file} is not a new version with a 32-byte key")
        keys[version] = key
    if not keys:
        raise MasterKeyError(f"the master key file {file} holds no key")
    return keys
