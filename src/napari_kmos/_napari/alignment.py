"""Between layers and offset rows: which row a layer's position makes, and where a row puts a layer."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer

from napari_kmos._napari.layers import active_layer, cube_layers, ifu_layers, kmos_of, open_paths
from napari_kmos._napari.positions import companions, move_to, offset_of
from napari_kmos._napari.shown import KmosLayer
from napari_kmos.align import measure_offsets
from napari_kmos.cube import Cube
from napari_kmos.errors import KmosWarning
from napari_kmos.offset import Offset
from napari_kmos.progress import Progress, silent
from napari_kmos.recipes.offset_rows import row_of as find_row

BY_HAND = "hand"
REFERENCE = "reference"
MEASURED = "correlation"
SPLIT_FIRST = "it shows all IFUs of an exposure, which have an offset each: split it first (View, Split exposure)"
#: How well a position is judged by eye, in spaxels.
_HAND_ERROR_PIX = 0.5
_SAME_ARCSEC = 1e-4


def pixel_arcsec(layer: Layer) -> float:
    """Return the size of a spaxel."""
    return float(layer.scale[-1])


def in_spaxels(layer: Layer, east: float, north: float) -> tuple[float, float]:
    """Return an offset (east, north) in arcsec as (x, y) in spaxels of a layer, along its rows and columns."""
    shown = kmos_of(layer)
    scale, matrix = shown.home()
    y, x = np.linalg.solve(matrix[:2, :2], [-north, -east]) / scale
    return float(x), float(y)


def move_all(viewer: ViewerModel, layer: Layer, east: float, north: float) -> None:
    """Move all layers of an IFU of a file by a correction."""
    for one in companions(viewer, layer):
        move_to(one, east, north)


def offset_row(viewer: ViewerModel, layer: Layer, *, measured: Offset | None = None) -> Offset:
    """Return the row that says where a layer stands now: as it was measured, if it stands there, else by hand."""
    east, north = offset_of(layer)
    place = None if measured is None else (measured.dra_arcsec, measured.ddec_arcsec)
    if place is not None and np.allclose((east, north), place, atol=_SAME_ARCSEC):
        facts = {"method": measured.method, "err_arcsec": measured.err_arcsec, "note": measured.note}
    else:
        facts = {"method": BY_HAND, "err_arcsec": _HAND_ERROR_PIX * pixel_arcsec(layer)}
    return _row(viewer, layer, facts)


def reference_row(viewer: ViewerModel, layer: Layer) -> Offset:
    """Return the row of the layer that others are aligned with: where it stands is right by definition."""
    return _row(viewer, layer, {"method": REFERENCE, "err_arcsec": 0.0})


def _row(viewer: ViewerModel, layer: Layer, facts: dict[str, Any]) -> Offset:
    shown = kmos_of(layer)
    east, north = offset_of(layer)
    paths = open_paths(viewer)
    return Offset(
        exposure=paths.index(shown.path) if shown.path in paths else 0,
        file=_file_name(shown, paths),
        ifu=shown.ifu,
        dra_arcsec=round(east, 6) + 0.0,
        ddec_arcsec=round(north, 6) + 0.0,
        **facts,
    )


def _file_name(shown: KmosLayer, paths: Sequence[Path]) -> str:
    """Name of the file of a layer; its whole path where files of one name are open."""
    if shown.path is None:
        return shown.product.source
    alone = sum(path.name == shown.path.name for path in paths) <= 1
    return shown.path.name if alone else str(shown.path)


def with_rows(offsets: Sequence[Offset], rows: Sequence[Offset]) -> tuple[Offset, ...]:
    """Return offsets with rows added or replaced; ordered by exposure and IFU.

    A row is replaced by one of the same IFU and file; the epoch and half known of it stay where the new one has none.
    """
    merged = list(offsets)
    for row in rows:
        before = next((one for one in merged if one.ifu == row.ifu and _are_alike(one.file, row.file)), None)
        if before is None:
            merged.append(row)
            continue
        half = before.half if row.half is None else row.half
        merged[merged.index(before)] = dataclasses.replace(row, epoch=row.epoch or before.epoch, half=half)
    return tuple(sorted(merged, key=lambda one: (one.exposure, one.file, one.ifu or 0)))


def _are_alike(first: str, second: str) -> bool:
    """Tell whether two names can be those of one file: the same from the end, as far as both go."""
    parts = zip(reversed(Path(first).parts), reversed(Path(second).parts), strict=False)
    return all(one == other for one, other in parts)


def row_of(offsets: Sequence[Offset], layer: Layer) -> Offset | None:
    """Return the row of a layer: its file by the last part of its name, and its IFU.

    Raises
    ------
    AlignmentError
        If several rows fit equally well.
    """
    shown = kmos_of(layer)
    return find_row(offsets, shown.path or Path(shown.product.source), shown.cube)


def show_offsets(viewer: ViewerModel, offsets: Sequence[Offset]) -> int:
    """Put the layers where the accepted rows say; return how many rows found theirs. Other layers stay.

    Warns
    -----
    KmosWarning
        A layer of several IFUs each: their offsets may differ.
    """
    found = set()
    for layer in cube_layers(viewer):
        if kmos_of(layer).cube is None:
            warnings.warn(f"{layer.name}: {SPLIT_FIRST}", KmosWarning, stacklevel=2)
            continue
        row = row_of(offsets, layer)
        if row is not None:
            found.add(row)
        if row is not None and row.accepted:
            move_all(viewer, layer, row.dra_arcsec, row.ddec_arcsec)
    return len(found)


def measure(reference: Cube, moving: Cube, *, base: tuple[float, float], progress: Progress = silent) -> Offset:
    """Measure the offset of a cube against another one that itself stands off its header by ``base`` (east, north)."""
    progress(0, 1, "correlating white-light images")
    found = measure_offsets([reference, moving], reference=0, method=MEASURED)[1]
    east, north = base
    return dataclasses.replace(found, dra_arcsec=found.dra_arcsec + east, ddec_arcsec=found.ddec_arcsec + north)


def layer_under(viewer: ViewerModel, layer: Layer) -> Layer | None:
    """Return the cube layer to align another with: the first one drawn in the same frame from another file."""
    shown = kmos_of(layer)
    others = [one for one in ifu_layers(viewer) if kmos_of(one).identity != shown.identity]
    same = [one for one in others if kmos_of(one).ifu == shown.ifu]
    return next(iter(same or others), None)


def default_pair(viewer: ViewerModel) -> tuple[Layer | None, Layer | None]:
    """Return the pair to begin with: the layer the user looks at, and the first other one of its IFU."""
    layers = ifu_layers(viewer)
    seen = active_layer(viewer)
    moving = seen if seen in layers else next(reversed(layers), None)
    reference = None if moving is None else layer_under(viewer, moving)
    if moving is not None and reference is not None and viewer.layers.index(reference) > viewer.layers.index(moving):
        return moving, reference
    return reference, moving
