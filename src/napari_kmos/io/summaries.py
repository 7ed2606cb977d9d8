"""Small arrays that were computed from a cube, kept on disk beside its copy."""

from __future__ import annotations

import math
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.errors import KmosWarning, WriteError
from napari_kmos.io import cache
from napari_kmos.io.copies import identity_of
from napari_kmos.progress import Progress, silent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.io._array import FitsArray

    Arrays = Mapping[str, NDArray[Any]]


def find_arrays(source: FitsArray, name: str) -> Arrays | None:
    """Return arrays that were kept; None where there are none."""
    try:
        path = cache.find(identity_of(source), f"{name}.npz")
        return None if path is None else _loaded(path)
    except OSError:
        return None


def keep_arrays(source: FitsArray, name: str, compute: Callable[[], Arrays], *, progress: Progress = silent) -> Arrays:
    """Return arrays that were kept, or compute and keep them.

    Parameters
    ----------
    source : FitsArray
        What they are computed from.
    name : str
        What they are called.
    compute : callable
        Returns the arrays. Of several processes one calls it, while the others wait.
    progress : Progress
        Told that another process is waited for; may raise `Cancelled`.

    Warns
    -----
    KmosWarning
        If they cannot be kept: they are returned all the same.
    """
    found = find_arrays(source, name)
    if found is not None:
        return found
    computed: dict[str, NDArray[Any]] = {}

    def write(path: Path) -> None:
        computed.update(compute())
        with path.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **computed)

    try:
        cache.find_or_make(
            identity_of(source), f"{name}.npz", 8 * math.prod(source.shape[1:]), write, progress=progress
        )
    except WriteError as err:
        warnings.warn(f"{name} cannot be kept for the next time: {err}", KmosWarning, stacklevel=2)
    return computed or find_arrays(source, name) or compute()


def _loaded(path: Path) -> Arrays | None:
    try:
        with np.load(path, allow_pickle=False) as kept:
            return dict(kept)
    except (ValueError, zipfile.BadZipFile):
        cache.discard(path, "it holds no arrays")
        return None
