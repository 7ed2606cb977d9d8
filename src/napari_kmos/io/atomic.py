"""Outputs appear whole or not at all: a temporary name beside the target, renamed when it is complete."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from napari_kmos.errors import WriteError

#: How the names of FITS files end, plain and compressed.
FITS_ENDINGS = tuple(plain + packed for plain in (".fits", ".fit") for packed in ("", ".gz", ".bz2", ".fz"))

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_LONGEST_NAME = 120
_TEMPORARY = re.compile(r"\.(\d+)-[0-9a-f]{8}\.part")


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
        probe = there / f".napari-kmos-{secrets.token_hex(4)}"
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


def remove_leftovers(folder: Path | str, *, below: bool = True) -> None:
    """Remove what writers that were killed have left in a folder, and below it: temporary files and folders.

    Those of processes that still run stay.
    """
    pattern = f"{'**/' if below else ''}.*.part*"
    for path in list(Path(folder).glob(pattern)):
        match = _TEMPORARY.search(path.name)
        if match is None or is_running(int(match[1])):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


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
def atomic_path(path: Path | str, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary path in the folder of ``path``; rename it on success, remove it on failure.

    The suffix is kept, so that writers which choose a format by it work.

    Raises
    ------
    WriteError
        If ``path`` exists and ``overwrite`` is not set, or if the system refuses to write.
    """
    target = check_free(path, overwrite)
    temporary = target.with_name(f".{target.stem}.{os.getpid()}-{secrets.token_hex(4)}.part{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(check_free(target, overwrite))
    except WriteError:
        raise
    except OSError as err:
        msg = f"{target}: cannot be written ({err.strerror or err})"
        raise WriteError(msg) from err
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
