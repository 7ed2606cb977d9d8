"""The reader: exposures, combined cubes, mosaics and collapsed images as layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import napari
from napari.components import ViewerModel
from napari.layers import Layer

from napari_kmos._napari.commands import sheet_if_scattered
from napari_kmos._napari.errors import notify
from napari_kmos._napari.layers import KEY, KmosLayer, LayerData, add_layers, kmos_layers, kmos_of, layer_data
from napari_kmos.errors import KmosError, NotKmosError
from napari_kmos.exposure import Exposure
from napari_kmos.io import read_exposure, read_images

_UNTOUCHED = ("SCI_RECONSTRUCTED", "SINGLE_CUBES")
SUFFIXES = (".fits", ".fit", ".fits.gz", ".fit.gz")


def napari_get_reader(path: str | Sequence[str]) -> Callable[[str | Sequence[str]], list[LayerData]] | None:
    """Return the reader, or None if a path is surely none of ours."""
    paths = [path] if isinstance(path, str) else list(path)
    return _read_or_tell if paths and all(str(one).lower().endswith(SUFFIXES) for one in paths) else None


def _read_or_tell(path: str | Sequence[str]) -> list[LayerData] | list[tuple[None]]:
    """Read for napari: in a viewer, what cannot be read is told in a line, without napari's traceback."""
    try:
        return read(path)
    except KmosError as err:
        if napari.current_viewer() is None:
            raise
        notify(err)
        return [(None,)]  # napari's word for a file without layers


def read(path: str | Sequence[str]) -> list[LayerData]:
    """Read files: a layer for each cube or image, lazy, without the noise.

    Raises
    ------
    KmosError
        If a file cannot be used; which, why, and what to do.
    """
    found: list[LayerData] = []
    viewer = napari.current_viewer()
    known = [] if viewer is None else [kmos_of(layer) for layer in kmos_layers(viewer)]
    for one in [path] if isinstance(path, str) else path:
        new = file_data(Path(one), known)
        known += [options["metadata"][KEY] for _, options, _ in new]
        found += new
    if viewer is not None:
        _arrange_when_added(viewer, len(found))
    return found


def file_data(path: Path, known: Sequence[KmosLayer]) -> list[LayerData]:
    """Return the layers of a file: its cubes or, where it has none, its images.

    Raises
    ------
    KmosError
        As `read_exposure` says if there is neither.
    """
    try:
        exposure = read_exposure(path)
    except NotKmosError as err:
        try:
            return layer_data(read_images(path), path=path.absolute(), tag=path.stem, known=known)
        except KmosError:
            raise err from None
    if not exposure.cubes:
        msg = f"{path}: none of its arms has data; expected at least one active IFU"
        raise NotKmosError(msg)
    return layer_data(exposure.cubes, path=path.absolute(), tag=tag_of(exposure), known=known)


def tag_of(exposure: Exposure) -> str:
    """Return what tells an exposure from another of the same target: what was done to it, or when it began."""
    if exposure.kind != "exposure":
        return exposure.kind
    done = "" if exposure.category in _UNTOUCHED else exposure.category.lower().replace("_", " ")
    time = "" if exposure.date is None else str(exposure.date.isot)[5:16].replace("T", " ")
    return " ".join(part for part in (done, time) if part) or (exposure.path.stem if exposure.path else "")


def add_file(viewer: ViewerModel, path: Path) -> list[Layer]:
    """Add the cubes or images of a file to a viewer, on the sky or sheet that is shown."""
    known = [kmos_of(layer) for layer in kmos_layers(viewer)]
    return add_layers(viewer, file_data(path, known))


def _arrange_when_added(viewer: ViewerModel, n_layers: int) -> None:
    """Once all layers are there, lay them out; and bring all into view: napari looks at the first one only."""
    was_empty = not viewer.layers
    added: list[Layer] = []

    def on_inserted(event: object) -> None:
        added.append(event.value)
        if len(added) == n_layers:
            viewer.layers.events.inserted.disconnect(on_inserted)
            sheet_if_scattered(viewer, added)
            if was_empty:
                viewer.reset_view()

    viewer.layers.events.inserted.connect(on_inserted)
