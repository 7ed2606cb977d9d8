"""The planes of a cube, as napari asks for them: straight from the file, few at a time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_kmos._napari.errors import notify
from napari_kmos._napari.thick import ThickSlice
from napari_kmos.errors import GeometryError, KmosError
from napari_kmos.io.source import read_planes, read_spaxels, source_of
from napari_kmos.lazy import read_piece

if TYPE_CHECKING:
    from napari_kmos.cube import Array

#: What is read at once: one plane of a mosaic, many of an IFU's, whose stepping would open its file for each.
_BLOCK_BYTES = 256 * 2**10
_KEPT = 4
#: More than this is never read in one piece.
_MOST_BYTES = 512 * 2**20

#: Files that could not be read, until they can be again: each is told once.
_told: set[str] = set()


class Planes:
    """A cube of which napari gets a plane, the projection of some planes, or one image in place of all planes.

    Little is kept, whatever the size of the cube: napari's own cache of dask arrays grows by gigabytes over a mosaic.
    A file that vanished or changed gives NaN and one notification; when it is back as it was, so are its planes.

    Parameters
    ----------
    array : numpy or dask array, shape (wavelength, y, x)
        As read, its planes come straight from the file; if computed, block by block.

    Attributes
    ----------
    image : ndarray, shape (y, x), or None
        Shown whichever plane is asked for; None shows the planes.
    projection : str
        ``"none"``, or how napari shall see some planes together, as it names it: ``"mean"``, ``"sum"``, ``"max"``,
        ``"min"``. A slice of planes then gives one plane, in which NaN counts for nothing: napari would load all of
        them, and any NaN among them would win.
    """

    def __init__(self, array: Array) -> None:
        self.array = array
        self.shape, self.ndim, self.dtype, self.size = array.shape, array.ndim, array.dtype, array.size
        self.image: NDArray[Any] | None = None
        self.projection = "none"
        source = source_of(array)
        self._file = None if source is None else str(source.path)
        self._ends = self._block_ends(source is not None)
        self._thick = ThickSlice(self._load, self._plane_bytes())
        self._kept: OrderedDict[tuple[Any, ...], NDArray[Any]] = OrderedDict()

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Read a plane, or what the attributes say shall stand for it; any other piece is read as it is.

        Raises
        ------
        GeometryError
            If the piece is too large to be held in memory at once.
        """
        first, *rest = key if isinstance(key, tuple) else (key,)
        projected = self._is_projected(key)
        piece = np.broadcast_to(np.float32(np.nan), self.shape)[key]
        if is_too_large(piece) and not projected:
            return refuse(piece, is_volume=isinstance(key, tuple))
        try:
            return self._together(range(len(self))[first])[(None, *rest)] if projected else self._read(first, *rest)
        except KmosError as err:
            self._tell(err)
            return np.array(piece[:1] if projected else piece)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Read the whole cube, if it is small enough."""
        return np.asarray(self[:], dtype=dtype)

    def __len__(self) -> int:
        return self.shape[0]

    def _read(self, first: Any, *rest: Any) -> NDArray[Any]:
        if isinstance(first, int | np.integer):
            return (self._plane(range(len(self))[first]) if self.image is None else self.image)[rest]
        if first == slice(None) and len(rest) == 2 and isinstance(rest[0], int):  # napari's axes in another order
            return read_spaxels(self.array, slice(rest[0], rest[0] + 1), slice(None))[(slice(None), 0, *rest[1:])]
        return read_piece(self.array, (first, *rest))

    def _is_projected(self, key: Any) -> bool:
        """Tell whether a key is one of those by which napari asks for planes to put together: it names both ends."""
        if not (isinstance(key, tuple) and len(key) == self.ndim and isinstance(key[0], slice)):
            return False
        is_wanted = self.image is not None or self.projection != "none"
        return is_wanted and None not in (key[0].start, key[0].stop)

    def _together(self, planes: range) -> NDArray[Any]:
        """Make one of some planes."""
        if self.image is not None:
            return self.image
        if len(planes) == 1:
            return self._plane(planes[0])
        what = (self.projection, planes.start, planes.stop)
        return self._keep(what, lambda: self._thick.project(*what))

    def _plane(self, plane: int) -> NDArray[Any]:
        """One plane, from a block kept if it can."""
        number = int(np.searchsorted(self._ends, plane, side="right"))
        start = int(self._ends[number - 1]) if number else 0
        return self._keep((start,), lambda: self._load(start, int(self._ends[number])))[plane - start]

    def _load(self, start: int, stop: int) -> NDArray[Any]:
        planes = read_planes(self.array, slice(start, stop))
        if self._file is not None:
            _told.discard(self._file)
        return planes

    def _keep(self, key: tuple[Any, ...], make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """Return what was made last for a key, or make it."""
        made = self._kept.pop(key, None)  # out and in again: now it is the last one used, whatever other threads do
        self._kept[key] = made = make() if made is None else made
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return made

    def _block_ends(self, is_file: bool) -> NDArray[Any]:
        """Return the ends of the blocks in which planes are read: those of the array where each is computed whole."""
        if not is_file and not isinstance(self.array, np.ndarray):
            return np.cumsum(self.array.chunks[0])
        size = max(1, _BLOCK_BYTES // max(1, self._plane_bytes()))
        return np.minimum(np.arange(size, len(self) + size, size), len(self))

    def _plane_bytes(self) -> int:
        return int(np.prod(self.shape[1:])) * self.dtype.itemsize

    def _tell(self, problem: KmosError) -> None:
        """Tell once that a file cannot be read."""
        what = self._file or str(problem)
        if what not in _told:
            _told.add(what)
            notify(problem)


def refuse(piece: NDArray[Any], *, is_volume: bool) -> NDArray[Any]:
    """Raise, for a piece is too large; but napari's view in three dimensions, which asks for all, is shown nothing."""
    msg = (
        f"{piece.size * piece.itemsize / 2**30:.1f} GB of a cube were asked for at once; at most "
        f"{_MOST_BYTES / 2**30:.1f} GB can be shown or loaded: crop it in wavelength or space first"
    )
    if not is_volume:
        raise GeometryError(msg)
    notify(GeometryError(msg))
    return np.full((1,) * piece.ndim, np.nan, dtype=np.float32)


def is_too_large(piece: NDArray[Any]) -> bool:
    """Tell whether a piece, which need not be in memory, is too large to be read at once."""
    return piece.size * piece.itemsize > _MOST_BYTES
