"""Outputs appear whole or not at all: a temporary name beside the target, renamed when it is complete.

The temporary name tells process and computer. So whoever writes next sees that another is at work on the same file,
and what a process that is no more has left is removed; of other computers nobody knows, and they are left alone.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import json
import os
import re
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from napari_kmos.calls import current_call, file_state
from napari_kmos.errors import NotKmosError, WriteError

#: How the names of FITS files end, plain and compressed.
FITS_ENDINGS = tuple(plain + packed for plain in (".fits", ".fit") for packed in ("", ".gz", ".bz2", ".fz"))

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_LONGEST_NAME = 120
_TEMPORARY = re.compile(
    r"\.(?P<stem>.*)\.(?P<pid>\d+)-[0-9a-f]{8}-(?P<host>[0-9a-f]{8})\.part(?P<suffix>.*)", re.DOTALL
)
#: What to do where the system refuses to write.
_ADVICE = {
    errno.ENOSPC: "make room, then do it again",
    errno.EDQUOT: "make room, then do it again",
    errno.EFBIG: "files may not be that large here; choose another folder (-o)",
    errno.EROFS: "choose another folder (-o)",
    errno.EACCES: "choose another folder (-o)",
    errno.ENOENT: "its folder has vanished; when it is there again, do it again",
    errno.ESTALE: "its folder has vanished; when it is there again, do it again",
}


def safe_name(text: str) -> str:
    """Return ``text`` as a part of a file name: letters other than A-Z a-z 0-9 . _ - become _.

    Examples
    --------
    >>> safe_name("GC field/# 3")
    'GC_field___3'
    """
    name = _UNSAFE.sub("_", text)[:_LONGEST_NAME]
    return "_" + name[1:] if name.startswith(".") else name or "_"


def fits_stem(path: Path) -> str:
    """Return the name of a FITS file without its ending.

    Examples
    --------
    >>> fits_stem(Path("night/sci.0.fits")), fits_stem(Path("sci.1.fits.fz"))
    ('sci.0', 'sci.1')
    """
    endings = (ending for ending in FITS_ENDINGS if path.name.endswith(ending))
    return path.name.removesuffix(max(endings, key=len, default=""))


def output_dir(path: Path | str) -> Path:
    """Check that a folder for products can be written to, or made where it is missing: the first product makes it.

    So a step that fails or is cancelled before anything is written leaves no empty folder.

    Raises
    ------
    WriteError
        If the folder cannot be made or written to.
    """
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        msg = f"{folder}: is a file; expected a folder (-o)"
        raise WriteError(msg)
    try:
        there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
        probe = temporary_beside(there / "probe")
        probe.touch()
        probe.unlink()
    except OSError as err:
        msg = f"{folder}: cannot write there ({err.strerror}); choose another output folder (-o)"
        raise WriteError(msg) from err
    return folder


def check_free(path: Path | str, overwrite: bool) -> Path:
    """Return ``path`` if it may be written: it does not exist, or is a plain file and ``overwrite`` is set.

    Raises
    ------
    WriteError
        If writing would destroy something.
    """
    target = Path(path)
    if target.is_dir():
        msg = f"{target}: is a folder; expected the name of a file to write"
        raise WriteError(msg)
    if target.exists() and not target.is_file():
        msg = f"{target}: is no plain file; expected the name of a file to write"
        raise WriteError(msg)
    if target.exists() and not overwrite:
        msg = f"{target}: exists already; choose another name or allow overwriting (--overwrite)"
        raise WriteError(msg)
    return target


def temporary_beside(target: Path, *, pid: int | None = None) -> Path:
    """Return a new hidden name in the folder of a file, which tells the process (this one) and the computer.

    The suffix is kept, so that writers which choose a format by it work.
    """
    owner = f"{os.getpid() if pid is None else pid}-{secrets.token_hex(4)}-{_host()}"
    return target.with_name(f".{target.stem}.{owner}.part{target.suffix}")


def remove_leftovers(folder: Path | str) -> None:
    """Remove what writers that were killed have left in a folder and below it: temporary files and folders.

    Those of processes that still run, or ran on another computer, stay.
    """
    for path in list(Path(folder).rglob(".*.part*")):
        match = _TEMPORARY.fullmatch(path.name)
        if match is not None and not _may_live(match):
            _remove(path)


def is_running(pid: int) -> bool:
    """Tell whether a process exists; where that cannot be asked, say so to be careful."""
    if os.name == "nt":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def claimed(path: Path | str) -> Iterator[Path]:
    """Hold a name while something is made that may have no other process at it; yield its temporary file.

    What processes that are no more have left in the folder is removed first; the folder is made if missing.

    Raises
    ------
    WriteError
        If another process holds the same name.
    """
    target = Path(path)
    is_new = not target.parent.exists()
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(target)
    try:
        temporary.touch(exist_ok=False)
        _look_around(temporary, target)
        yield temporary
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
            if is_new:
                target.parent.rmdir()  # if nothing came of it


@contextmanager
def atomic_path(path: Path | str, overwrite: bool = False) -> Iterator[Path]:
    """Yield the path of an empty temporary file in the folder of ``path``; on success it takes that name, else it goes.

    It is on the disk, whole, before it takes the name.

    Raises
    ------
    WriteError
        If ``path`` exists and ``overwrite`` is not set, another process is writing it, or the system refuses to write.
    NotKmosError
        If a file that was given to the recipe at work has changed since it began.
    """
    target = check_free(path, overwrite)
    try:
        with claimed(target) as temporary:
            yield temporary
            _settle(temporary)
            _check_inputs(target)
            check_free(target, overwrite)
            if current_call() is not None and target.exists():
                forget_record(target)
            temporary.replace(target)
    except WriteError:
        raise
    except OSError as err:
        advice = _ADVICE.get(err.errno or 0)
        msg = f"{target}: cannot be written ({err.strerror or err}){f'; {advice}' if advice else ''}"
        raise WriteError(msg) from err


def forget_record(product: Path) -> None:
    """Remove the record beside a product that is about to be replaced: it tells of the one there was.

    A recipe whose main product is not the first that it writes says so before that; for the main one it is done here.
    """
    record = product.with_suffix(".json")
    if record != product and record.is_file() and json.dumps(product.name) in record.read_text(errors="replace"):
        record.unlink()


@functools.cache
def _host() -> str:
    """Return what tells this computer from others; of containers on one, each has processes of its own."""
    name = socket.gethostname()
    with suppress(OSError):
        name += str(Path("/proc/self/ns/pid").readlink())
    return hashlib.sha256(name.encode()).hexdigest()[:8]


def _may_live(match: re.Match[str]) -> bool:
    """Tell whether the process of a temporary name may still be at work."""
    return match["host"] != _host() or is_running(int(match["pid"]))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _look_around(temporary: Path, target: Path) -> None:
    """Remove what was left beside a new temporary file, and refuse its target if another process is at work on it."""
    mine = _TEMPORARY.fullmatch(temporary.name)
    with os.scandir(temporary.parent) as entries:
        names = [entry.name for entry in entries if ".part" in entry.name]
    for path, match in ((target.with_name(name), _TEMPORARY.fullmatch(name)) for name in names):
        if match is None or mine is None or match.group("pid", "host") == mine.group("pid", "host"):
            continue
        if not _may_live(match):
            _remove(path)
        elif match.group("stem", "suffix") == mine.group("stem", "suffix"):
            who = f"another process ({match['pid']}{'' if match['host'] == _host() else ' of another computer'})"
            msg = f"{target}: {who} is at work on it; wait until that ends, or remove {path} if it was killed"
            raise WriteError(msg)


def _settle(path: Path) -> None:
    """Wait until a file is on the disk: some file systems tell only then that there is no room."""
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def _check_inputs(target: Path) -> None:
    """Refuse to finish what was made from files that have changed meanwhile; what a recipe replaces is none of them."""
    call = current_call()
    if call is None:
        return
    call.files.pop(target.resolve(), None)
    changed = next((path for path, state in call.files.items() if file_state(path) != state), None)
    if changed is not None:
        msg = f"{changed}: changed or vanished while it was read; {target.name} is not written, do it again"
        raise NotKmosError(msg)
