"""Write KMOS products in the layout of the pipeline they stand in for."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from astropy.io import fits
from dask.base import compute

from napari_kmos.io._cards import extension_header, primary_header
from napari_kmos.io._checksum import ones_complement_sum, with_checksum
from napari_kmos.io.atomic import atomic_path
from napari_kmos.progress import Progress, silent

if TYPE_CHECKING:
    from napari_kmos.cube import Array, Cube, Image
    from napari_kmos.exposure import Arm, Exposure
    from napari_kmos.provenance import Step

_BLOCK = 2880
#: Planes written at a time where the cube is in memory, and pieces computed together where it is lazy.
_PLANES = 64
_PIECES = 4


def write_cube(
    cube: Cube,
    path: Path | str,
    *,
    step: Step | None = None,
    primary: fits.Header | None = None,
    category: str = "",
    overwrite: bool = False,
    progress: Progress = silent,
) -> Path:
    """Write a combined cube or mosaic: an empty primary, ``<name>.DATA`` and, where there is noise, ``<name>.NOISE``.

    A lazy cube is computed and written a few of its pieces at a time, flux and noise together: memory stays bounded by
    four pieces, whatever the size of the cube.

    Parameters
    ----------
    cube : Cube
        Shape (wavelength, y, x); written as big-endian float32, NaN kept.
    path : Path or str
        Output; a temporary file beside it is renamed when complete.
    step : Step, optional
        What made the cube.
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
    with atomic_path(path, overwrite) as temporary, temporary.open("w+b") as stream:
        _write_primary(stream, primary_header(primary, step, category=category))
        _write_together(stream, pairs, progress)
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
    overwrite: bool = False,
) -> Path:
    """Write a collapsed image or an exposure map: an empty primary, ``<name>.DATA`` and ``<name>.NOISE``.

    Parameters
    ----------
    image : Image
        Shape (y, x); integers stay integers, NaN is kept.
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
    with atomic_path(path, overwrite) as temporary:
        fits.HDUList(hdus).writeto(temporary, checksum=True, output_verify="silentfix")
    return Path(path)


def _write_primary(stream: BinaryIO, header: fits.Header) -> None:
    stream.write(with_checksum(fits.PrimaryHDU(header=header).header, 0))


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
    _write_together(stream, pairs, silent)  # type: ignore[arg-type]


def _write_together(stream: BinaryIO, pairs: list[tuple[fits.Header, Array]], progress: Progress) -> None:
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
    for first, blocks in _pieces([array for _, array in pairs]):
        for number, block in enumerate(blocks):
            data = np.ascontiguousarray(block, dtype=">f4")
            stream.seek(places[number][1] + first * plane_bytes)
            stream.write(data.data)
            sums[number] = ones_complement_sum(data.data.cast("B"), sums[number])
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


def _pieces(arrays: list[Array]) -> Iterator[tuple[int, list[np.ndarray]]]:
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
