"""Between layers and offset rows: which row a layer's position makes, and where a row puts a layer."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer

from napari_kmos._napari.align_rows import BY_HAND
from napari_kmos._napari.layers import active_layer, cube_layers, ifu_layers, kmos_of, open_paths
from napari_kmos._napari.positions import companions, move_to, offset_of
from napari_kmos.cube import Cube, pixel_scale_arcsec
from napari_kmos.errors import KmosWarning
from napari_kmos.offset import Offset
from napari_kmos.recipes.offset_rows import row_of as find_row

SPLIT_FIRST = "it shows all IFUs of an exposure, which have an offset each: split it first (View, Split exposure)"
#: How well a position is judged by eye, in spaxels.
_HAND_ERROR_PIX = 0.5
_SAME_ARCSEC = 1e-4


def move_all(viewer: ViewerModel, layer: Layer, east: float, north: float, rotation_deg: float | None = None) -> None:
    """Move all layers of an IFU of a file by a correction; they keep their rotation if no other is given."""
    for one in companions(viewer, layer):
        move_to(one, east, north, rotation_deg)


def offset_row(viewer: ViewerModel, layer: Layer, *, measured: Offset | None = None) -> Offset:
    """Return the row that says where a layer stands now: as it was measured, if it stands there, else by hand."""
    shown = kmos_of(layer)
    paths = open_paths(viewer)
    path = shown.path or Path(shown.product.source)
    row = placed(shown.cube, *offset_of(layer), measured=measured)
    if row.method == BY_HAND:
        row = dataclasses.replace(row, rotation_deg=shown.rotation_deg)
    exposure = paths.index(path) if path in paths else 0
    return dataclasses.replace(row, exposure=exposure, file=_short_name(str(path), paths))


def placed(
    cube: Cube, east: float, north: float, *, measured: Offset | None = None, before: Offset | None = None
) -> Offset:
    """Return the offset of a cube that somebody put somewhere: as it was measured if that is there, else by hand.

    Nobody turns by hand: the rotation stays that of before.
    """
    place = None if measured is None else (measured.dra_arcsec, measured.ddec_arcsec)
    if measured is not None and np.allclose((east, north), place, atol=_SAME_ARCSEC):
        return dataclasses.replace(measured, decision="")
    return Offset(
        exposure=0,
        file="",
        ifu=cube.ifu,
        dra_arcsec=round(east, 6) + 0.0,
        ddec_arcsec=round(north, 6) + 0.0,
        err_arcsec=_HAND_ERROR_PIX * pixel_scale_arcsec(cube.wcs),
        method=BY_HAND,
        rotation_deg=0.0 if before is None else before.rotation_deg,
        rotation_err_deg=None if before is None else before.rotation_err_deg,
    )


def short_names(offsets: Sequence[Offset]) -> tuple[Offset, ...]:
    """Return offsets that name their files by the last part, as long as that tells them apart."""
    paths = list(dict.fromkeys(Path(one.file) for one in offsets))
    return tuple(dataclasses.replace(one, file=_short_name(one.file, paths)) for one in offsets)


def _short_name(name: str, paths: Sequence[Path]) -> str:
    """Name of a file; its whole path where files of one name are known."""
    alone = sum(path.name == Path(name).name for path in paths) <= 1
    return Path(name).name if alone else name


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
            move_all(viewer, layer, row.dra_arcsec, row.ddec_arcsec, row.rotation_deg)
    return len(found)


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
