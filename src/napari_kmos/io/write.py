"""Write KMOS products in the layout of the pipeline they stand in for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

import numpy as np
from astropy.io import fits
from dask.base import compute

from napari_kmos.io._cards import correlation_header, extension_header, primary_header
from napari_kmos.io._checksum import add_words, with_checksum
from napari_kmos.io.atomic import atomic_path
from napari_kmos.progress import Progress, silent

if TYPE_CHECKING:
    from napari_kmos.cube import Array, Cube, Image
    from napari_kmos.exposure import Arm, Exposure
    from napari_kmos.provenance import Step

    #: Planes of each of several arrays of equal shape.
    Planes: TypeAlias = Sequence[np.ndarray] | np.ndarray

_BLOCK = 2880
_NONE: Mapping[str, Image] = MappingProxyType({})
#: Planes written at a time where the cube is in memory, and pieces computed together where it is lazy.
_PLANES = 64
_PIECES = 4


def write_cube(
    cube: Cube,
    path: Path | str,
    *,
    planes: Iterable[tuple[int, Planes]] | None = None,
    step: Step | Callable[[], Step] | None = None,
    primary: fits.Header | None = None,
    category: str = "",
    overwrite: bool = False,
    progress: Progress = silent,
) -> Path:
    """Write a combined cube or mosaic: an empty primary, ``<name>.DATA`` and, where there is noise, ``<name>.NOISE``.

    The correlation of the noise, where it is known, follows as an image, ``<name>.CORRELATION``.

    A lazy cube is computed and written a few of its pieces at a time, flux and noise together: memory stays bounded by
    four pieces, whatever the size of the cube.

    Parameters
    ----------
    cube : Cube
        Shape (wavelength, y, x); written as big-endian float32, NaN kept.
    path : Path or str
        Output; a temporary file beside it is renamed when complete.
    planes : iterable of (int, sequence of ndarray), optional
        Flux and noise to write instead of those of the cube, which then tells shape and header only: the number of the
        first plane, and the planes of both from there on. Together they must be all planes.
    step : Step, or callable that returns one, optional
        What made the cube. A callable is asked before the planes are written, for the length of the header, and for
        what it says when they are.
    primary : Header, optional
        Primary header of the first input; its cards are kept.
    category : str
        Product category.
    overwrite : bool
        Replace an existing file.
    progress : Progress
        Told the planes written.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    WriteError
        If the output exists or cannot be written.
    GeometryError
        If the wavelength planes are not evenly spaced.
    """
    name = cube.name or "cube"
    pairs = [(extension_header(cube, f"{name}.DATA"), cube.flux)]
    if cube.noise is not None:
        pairs.append((extension_header(cube, f"{name}.NOISE"), cube.noise))
    pieces = _pieces([array for _, array in pairs]) if planes is None else _pass_on(planes)

    def first_header() -> fits.Header:
        return primary_header(primary, step() if callable(step) else step, category=category)

    with atomic_path(path, overwrite) as temporary, temporary.open("w+b") as stream:
        room = _write_primary(stream, first_header())
        with closing(pieces):
            _write_together(stream, pairs, pieces, progress)
        if cube.correlation is not None:
            image = cube.correlation.astype(np.float32)
            _write_together(stream, [(correlation_header(name), image)], _pieces([image]), silent)
        if callable(step):
            stream.seek(0)
            _write_primary(stream, first_header(), room=room)
    return Path(path)


def write_exposure(
    exposure: Exposure,
    path: Path | str,
    *,
    step: Step | None = None,
    category: str = "",
    overwrite: bool = False,
    progress: Progress = silent,
) -> Path:
    """Write an exposure: 24 DATA extensions, each followed by its NOISE where any arm has noise.

    Arms without data keep their extensions, empty. Combined cubes and mosaics are written as such.

    Parameters
    ----------
    exposure : Exposure
        Its primary header is kept, and the step added.
    path, step, category, overwrite, progress
        As in `write_cube`; progress counts arms.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    WriteError
        If the output exists or cannot be written.
    """
    if exposure.kind != "exposure":
        kept = {"step": step, "primary": exposure.header, "category": category or exposure.category}
        return write_cube(exposure.cube(), path, **kept, overwrite=overwrite, progress=progress)
    with_noise = any(cube.noise is not None for cube in exposure.cubes)
    with atomic_path(path, overwrite) as temporary, temporary.open("w+b") as stream:
        _write_primary(stream, primary_header(exposure.header, step, category=category or exposure.category))
        for done, arm in enumerate(exposure.arms, start=1):
            _write_arm(stream, arm, with_noise)
            progress(done, len(exposure.arms), f"writing {Path(path).name}")
    return Path(path)


def write_image(
    image: Image,
    path: Path | str,
    *,
    step: Step | None = None,
    primary: fits.Header | None = None,
    category: str = "",
    others: Mapping[str, Image] = _NONE,
    overwrite: bool = False,
) -> Path:
    """Write a collapsed image or an exposure map: an empty primary, ``<name>.DATA`` and ``<name>.NOISE``.

    Parameters
    ----------
    image : Image
        Shape (y, x); integers stay integers, NaN is kept.
    others : mapping of str to Image
        What else is known of the same spaxels, by the second half of the extension's name.
    path, step, primary, category, overwrite
        As in `write_cube`.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    WriteError
        If the output exists or cannot be written.
    """
    name = image.name or "image"
    hdus = [fits.PrimaryHDU(header=primary_header(primary, step, category=category))]
    for kind, data in (("DATA", image.data), ("NOISE", image.noise)):
        if data is not None:
            hdus.append(fits.ImageHDU(np.asarray(data), header=extension_header(image, f"{name}.{kind}")))
    for kind, other in others.items():
        hdus.append(fits.ImageHDU(np.asarray(other.data), header=extension_header(other, f"{name}.{kind}")))
    with atomic_path(path, overwrite) as temporary:
        fits.HDUList(hdus).writeto(temporary, overwrite=True, checksum=True, output_verify="silentfix")
    return Path(path)


def _write_primary(stream: BinaryIO, header: fits.Header, *, room: int | None = None) -> int:
    """Write a primary header and return how long it is; over an earlier one it must be as long as that."""
    whole = with_checksum(fits.PrimaryHDU(header=header).header, 0)
    if room not in (None, len(whole)):
        msg = "the step says more or less of itself after the planes are written than before: there is no room for it"
        raise ValueError(msg)
    return stream.write(whole)


def _write_arm(stream: BinaryIO, arm: Arm, with_noise: bool) -> None:
    kinds = ("DATA", "NOISE") if with_noise else ("DATA",)
    names = [f"IFU.{arm.number}.{kind}" for kind in kinds]
    if arm.cube is None:
        for name in names:
            header = fits.ImageHDU(header=fits.Header([("EXTNAME", name)])).header
            stream.write(with_checksum(header, 0))
        return
    cube = arm.cube
    if with_noise and cube.noise is None:
        cube = dataclasses.replace(cube, noise=np.full(cube.shape, np.nan, dtype=np.float32))
    arrays = (cube.flux, cube.noise)[: len(names)]
    pairs = [(extension_header(cube, name), array) for name, array in zip(names, arrays, strict=True)]
    _write_together(stream, pairs, _pieces(arrays), silent)  # type: ignore[arg-type]


def _write_together(
    stream: BinaryIO,
    pairs: list[tuple[fits.Header, Array]],
    pieces: Iterator[tuple[int, Planes]],
    progress: Progress,
) -> None:
    """Write several extensions of equal shape side by side, piece by piece, then their headers with checksums."""
    start = stream.tell()
    places, headers = [], []
    for header, array in pairs:
        full = _image_header(header, array.shape)
        length = len(with_checksum(full, 0))
        data_bytes = int(np.prod(array.shape)) * 4
        places.append((start, start + length, data_bytes))
        headers.append(full)
        start += length + -(-data_bytes // _BLOCK) * _BLOCK
    stream.truncate(start)  # reserves the padding of every extension, as zeros
    sums = [0] * len(pairs)
    n_planes = pairs[0][1].shape[0]
    plane_bytes = places[0][2] // n_planes
    for first, blocks in pieces:
        for number, block in enumerate(blocks):
            data = np.ascontiguousarray(block, dtype=np.float32)
            sums[number] = add_words(data.view(np.uint32), sums[number])
            stream.seek(places[number][1] + first * plane_bytes)
            stream.write(data.astype(">f4").data)
        progress(first + len(blocks[0]), n_planes, f"writing {pairs[0][0]['EXTNAME']}")
    for (place, _, _), full, total in zip(places, headers, sums, strict=True):
        stream.seek(place)
        stream.write(with_checksum(full, total))
    stream.seek(start)


def _image_header(header: fits.Header, shape: tuple[int, ...]) -> fits.Header:
    """Return the header with the structure of a float32 image in front."""
    full = fits.ImageHDU(header=header).header
    full["BITPIX"] = -32
    full["NAXIS"] = len(shape)
    after = "NAXIS"
    for axis, length in enumerate(reversed(shape), start=1):
        full.set(f"NAXIS{axis}", length, after=after)
        after = f"NAXIS{axis}"
    return full


def _pass_on(planes: Iterable[tuple[int, Planes]]) -> Generator[tuple[int, Planes], None, None]:
    """Yield what is given; closing this closes that, too."""
    yield from planes


def _pieces(arrays: list[Array]) -> Generator[tuple[int, Planes], None, None]:
    """Yield the first plane and the planes of each array, computed together so that shared work is done once."""
    n_planes = arrays[0].shape[0]
    lengths: tuple[int, ...] = (_PLANES,) * -(-n_planes // _PLANES)
    lazy = next((array for array in arrays if not isinstance(array, np.ndarray)), None)
    if lazy is not None:
        chunks = lazy.chunks[0]
        lengths = tuple(sum(chunks[index : index + _PIECES]) for index in range(0, len(chunks), _PIECES))
    first = 0
    for length in lengths:
        yield first, list(compute(*(array[first : first + length] for array in arrays)))
        first += length
