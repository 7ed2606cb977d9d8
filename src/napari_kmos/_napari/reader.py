"""The reader: exposures, combined cubes, mosaics and collapsed images as layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import napari
from napari.components import ViewerModel
from napari.layers import Layer

from napari_kmos._napari.layers import KEY, KmosLayer, LayerData, add_layers, kmos_layers, kmos_of, layer_data
from napari_kmos.cube import Cube, Image
from napari_kmos.errors import KmosError, NotKmosError
from napari_kmos.io import read_exposure, read_images

SUFFIXES = (".fits", ".fit", ".fits.gz", ".fit.gz")


def napari_get_reader(path: str | Sequence[str]) -> Callable[[str | Sequence[str]], list[LayerData]] | None:
    """Return the reader, or None if a path is surely none of ours."""
    paths = [path] if isinstance(path, str) else list(path)
    return read if paths and all(str(one).lower().endswith(SUFFIXES) for one in paths) else None


def read(path: str | Sequence[str]) -> list[LayerData]:
    """Read files: a layer for each cube or image, lazy, without the noise.

    Raises
    ------
    KmosError
        If a file cannot be used; which, why, and what to do.
    """
    found: list[LayerData] = []
    known = _already_open()
    for one in [path] if isinstance(path, str) else path:
        new = layer_data(read_products(Path(one)), path=Path(one).absolute(), known=known)
        known += [options["metadata"][KEY] for _, options, _ in new]
        found += new
    return found


def read_products(path: Path) -> tuple[Cube, ...] | tuple[Image, ...]:
    """Read the cubes of a file or, where it has none, its images.

    Raises
    ------
    KmosError
        As `read_exposure` says if there is neither.
    """
    try:
        products = read_exposure(path).cubes
    except NotKmosError as err:
        try:
            return read_images(path)
        except KmosError:
            raise err from None
    if not products:
        msg = f"{path}: none of its arms has data; expected at least one active IFU"
        raise NotKmosError(msg)
    return products


def add_file(viewer: ViewerModel, path: Path) -> list[Layer]:
    """Add the cubes or images of a file to a viewer, on the sky or sheet that is shown."""
    known = [kmos_of(layer) for layer in kmos_layers(viewer)]
    return add_layers(viewer, layer_data(read_products(path), path=path.absolute(), known=known))


def _already_open() -> list[KmosLayer]:
    """Return what the viewer shows already, so that a further file joins it."""
    viewer = napari.current_viewer()
    return [kmos_of(layer) for layer in kmos_layers(viewer)] if viewer is not None else []
