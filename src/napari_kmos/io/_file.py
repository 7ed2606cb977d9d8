"""A FITS file as it was when it was opened: every later reading makes sure that it still is."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from napari_kmos.errors import NotKmosError
from napari_kmos.io import unpack


def file_status(path: Path) -> os.stat_result:
    """Return size and times of a file.

    Raises
    ------
    NotKmosError
        If there is none, it is a folder, or it cannot be reached.
    """
    if path.is_dir():
        msg = f"{path}: is a folder; expected a FITS file"
        raise NotKmosError(msg)
    try:
        return path.stat()
    except FileNotFoundError as err:
        msg = f"{path}: no such file"
        raise NotKmosError(msg) from err
    except OSError as err:
        msg = f"{path}: cannot be reached ({err.strerror or err})"
        raise NotKmosError(msg) from err


@dataclass(frozen=True, slots=True)
class FitsFile:
    """A file on disk, plain or compressed as a whole.

    Parameters
    ----------
    path : Path
        Absolute: the working folder may change, and that of a cluster is another. By whatever name a file was opened,
        it is the same one: what is kept of it on disk is found by `resolved`.
    resolved : str
        Without symbolic links.
    size, mtime_ns : int
        When it was opened.
    is_packed : bool
        True if the whole file is compressed: read from an unpacked copy.
    """

    path: Path = field(repr=False)
    resolved: str
    size: int
    mtime_ns: int
    is_packed: bool

    @classmethod
    def at(cls, path: Path) -> FitsFile:
        """Return the file as it is now.

        Raises
        ------
        NotKmosError
            If it is missing, a folder, or cannot be read.
        """
        status = file_status(path)
        packed = unpack.is_packed(path)
        return cls(path.absolute(), str(path.resolve()), status.st_size, status.st_mtime_ns, packed)

    @property
    def identity(self) -> tuple[str, int, int]:
        """What tells this state of the file from every other."""
        return self.resolved, self.size, self.mtime_ns

    def plain_path(self) -> Path:
        """Return where the uncompressed file is.

        Raises
        ------
        NotKmosError
            If the file is not what it was when it was opened.
        WriteError
            If a compressed file cannot be unpacked.
        """
        try:
            status = self.path.stat()
        except OSError as err:
            raise self.changed(err.strerror or str(err)) from err
        if (status.st_size, status.st_mtime_ns) != (self.size, self.mtime_ns):
            what = f"{self.size} bytes then, {status.st_size} now" if status.st_size != self.size else "written to"
            raise self.changed(what)
        return unpack.unpacked_file(self.path, self.identity) if self.is_packed else self.path

    def changed(self, what: str) -> NotKmosError:
        """Return the error to raise where a reading finds that the file is another."""
        return NotKmosError(f"{self.path}: changed or vanished since it was opened ({what}); open it again")
