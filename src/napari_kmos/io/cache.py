"""What was made from a file, kept on disk for the next time: bounded, never needed, thrown away when in doubt.

The folder is ``NAPARI_KMOS_CACHE``, or the user's cache folder of the system. What is in it belongs to a source file
and is named by that file's identity; beside each file stands a stamp (JSON) that says which source it was made from
and how its bytes begin and end. Nothing in here may be needed: every caller can do without, only slower.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from napari_kmos.errors import KmosWarning, WriteError
from napari_kmos.io import _stamps
from napari_kmos.io.atomic import atomic_path, fits_stem, output_dir, remove_leftovers, safe_name
from napari_kmos.progress import Progress, silent

#: Resolved path, size in bytes and modification time in ns of the source file, then whatever else decides the values.
Identity = _stamps.Identity

_FOLDER, _LIMIT = "NAPARI_KMOS_CACHE", "NAPARI_KMOS_CACHE_GIB"
_DEFAULT_GIB = 20.0
#: This share of the disk is left to others.
_LEFT_FREE = 0.05
_LOCKS = "locks"
_PATIENCE_S = 0.2


def cache_folder() -> Path:
    """Return the folder, made where it is missing; a temporary one of this process where it cannot be written to.

    Warns
    -----
    KmosWarning
        Once, if it cannot be written to.
    """
    given = os.environ.get(_FOLDER, "")
    return _usable(Path(given) if given else user_cache_path("napari-kmos", appauthor=False))


def cache_limit() -> int:
    """Return how many bytes may be kept: ``NAPARI_KMOS_CACHE_GIB`` (a number of GiB), else 20 GiB.

    Warns
    -----
    KmosWarning
        Once, if the variable is no number.
    """
    return _bytes_of(os.environ.get(_LIMIT, ""))


def find(identity: Identity, name: str) -> Path | None:
    """Return a file that was made before; None where there is none, or where its source is no longer what it was.

    Parameters
    ----------
    identity : tuple
        Of the source.
    name : str
        What it is called, for example ``"spectra.npy"``.

    Warns
    -----
    KmosWarning
        If the file is not as it was written; it is thrown away.
    """
    path = _place(identity, name)
    stamp = _stamps.read_stamp(path)
    if stamp is None or not _stamps.is_current(stamp):
        return None
    if not _stamps.is_sound(path, stamp):
        discard(path, "it is not as it was written")
        return None
    _stamps.touch(path)
    return path


def find_or_make(
    identity: Identity, name: str, n_bytes: int, make: Callable[[Path], object], *, progress: Progress = silent
) -> Path:
    """Return a file that was made before, or make it; of several processes one makes it and the others wait.

    Parameters
    ----------
    identity : tuple
        Of the source.
    name : str
        As in `find`.
    n_bytes : int
        Expected size; room is made for it by throwing away what was not used for longest.
    make : callable
        Given the temporary path to write; the file is renamed into place when it returns. Nothing is left if it raises.
    progress : Progress
        Told while another process makes the same; may raise `Cancelled`.

    Raises
    ------
    WriteError
        If it does not fit into the bound, if the disk would be full, or if the system refuses to write.
    """
    found = find(identity, name)
    if found is not None:
        return found
    target = _place(identity, name)
    with _lock(f"{target.parent.name}-{target.name}", progress):
        found = find(identity, name)  # another process may have made it while this one waited
        if found is None:
            with _lock("room", progress):
                _make_room(n_bytes)
            with atomic_path(target, overwrite=True) as temporary:
                make(temporary)
                _stamps.write_stamp(target, temporary, identity)
        return target


def discard(path: Path, why: str) -> None:
    """Throw away a file that cannot be used, and say so."""
    _stamps.remove(path)
    warnings.warn(f"{path}: thrown away, {why}; it is made again when it is needed", KmosWarning, stacklevel=3)


def check_bound(n_bytes: int) -> None:
    """Make sure that so much may be kept, if need be in place of everything else.

    Raises
    ------
    WriteError
        If the cache is bounded to less, or the disk has no room for it.
    """
    if n_bytes > cache_limit():
        msg = (
            f"{cache_folder()}: {_gib(n_bytes)} do not fit, the cache is bounded to {_gib(cache_limit())}; "
            f"set {_LIMIT} higher"
        )
        raise WriteError(msg)
    folder = cache_folder()
    if n_bytes > _spare(folder) + _used(folder):
        raise _no_room(folder, n_bytes)


@functools.cache
def _bytes_of(gib: str) -> int:
    try:
        return int((float(gib) if gib else _DEFAULT_GIB) * 2**30)
    except (ValueError, OverflowError):
        text = f"{_LIMIT}={gib}: not a size in GiB; the cache is bounded to {_DEFAULT_GIB:.0f} GiB"
        warnings.warn(text, KmosWarning, stacklevel=3)
        return int(_DEFAULT_GIB * 2**30)


def _make_room(n_bytes: int) -> None:
    """Throw away what belongs to changed files and, until so much fits, what was not used for longest."""
    check_bound(n_bytes)
    folder = cache_folder()
    remove_leftovers(folder)
    kept = _stamps.current_files(folder)
    used = _used(folder)
    while used + n_bytes > cache_limit() or n_bytes > _spare(folder):
        if not kept:
            raise _no_room(folder, n_bytes)
        path = kept.pop(0)
        used -= _stamps.size_of(path)
        _stamps.remove(path)


def _used(folder: Path) -> int:
    """Return how many bytes are kept."""
    return sum(_stamps.size_of(path) for path in folder.rglob("*"))


def _spare(folder: Path) -> int:
    """Return how many bytes of the disk may be taken."""
    disk = shutil.disk_usage(folder)
    return int(disk.free - _LEFT_FREE * disk.total)


def _no_room(folder: Path, n_bytes: int) -> WriteError:
    free = _gib(shutil.disk_usage(folder).free)
    return WriteError(f"{folder}: {_gib(n_bytes)} do not fit on the disk, {free} are free; make room, or set {_FOLDER}")


@functools.cache
def _usable(folder: Path) -> Path:
    try:
        output_dir(folder).mkdir(parents=True, exist_ok=True)
    except WriteError as err:
        temporary = Path(tempfile.mkdtemp(prefix="napari-kmos-"))
        atexit.register(shutil.rmtree, temporary, ignore_errors=True)
        warnings.warn(
            f"{folder}: nothing can be kept there ({err.__cause__ or err}); what is computed lasts until the end of "
            f"this process. Make the folder writable, or set {_FOLDER} to another",
            KmosWarning,
            stacklevel=3,
        )
        return temporary
    return folder


def _place(identity: Identity, name: str) -> Path:
    """Path of a file: a folder a source, named for people and by what decides the values."""
    source = Path(identity[0])
    key = hashlib.sha256(repr(identity).encode()).hexdigest()[:16]
    return cache_folder() / f"{safe_name(fits_stem(source))}-{key}" / name


@contextmanager
def _lock(name: str, progress: Progress) -> Iterator[None]:
    """Hold a lock among processes and threads; tell that it is waited for."""
    folder = cache_folder() / _LOCKS
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{name}.lock", thread_local=False)
        while True:
            with suppress(Timeout):
                lock.acquire(timeout=_PATIENCE_S)
                break
            progress(0, 1, "waiting for another process")
    except (OSError, NotImplementedError) as err:
        msg = f"{folder}: cannot be locked ({err}); set {_FOLDER} to a folder on a disk of this computer"
        raise WriteError(msg) from err
    try:
        yield
    finally:
        lock.release()


def _gib(n_bytes: int) -> str:
    return f"{n_bytes / 2**30:.1f} GiB"
