"""Writers: points as apertures, a cube layer as a FITS file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import napari

from napari_kmos._napari.layers import KEY as KMOS
from napari_kmos._napari.points import KEY, apertures_of
from napari_kmos._napari.shown import KmosLayer
from napari_kmos._napari.under import frames_of
from napari_kmos.errors import ExtractionError, GeometryError
from napari_kmos.io import write_apertures, write_cube
from napari_kmos.provenance import Step


def write_apertures_layer(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write a points layer as apertures: an ECSV table, or a ds9 region file by its suffix.

    Raises
    ------
    ExtractionError
        If no KMOS layer is open, whose sky the points lie on.
    """
    viewer = napari.current_viewer()
    frames = [] if viewer is None else frames_of(viewer)
    if not frames:
        msg = f"{path}: points have no place on the sky without a KMOS cube; open the cube they were drawn on"
        raise ExtractionError(msg)
    found = apertures_of(data, attributes, frames)
    if attributes.get("metadata", {}).get(KEY):  # one of ours: in several frames it is the same aperture
        found = list({one.id: one for one in found}.values())
    return [str(write_apertures(found, path, overwrite=True))]


def write_cube_layer(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write the cube that a layer shows, with its noise and header, as a combined cube of three HDUs.

    Raises
    ------
    GeometryError
        If the layer shows no cube.
    """
    shown = attributes.get("metadata", {}).get(KMOS)
    if not isinstance(shown, KmosLayer) or shown.cube is None:
        msg = (
            f"{path}: the layer {attributes.get('name', '')!r} shows no KMOS cube of its own; one cube a file is "
            "written here: split an exposure first"
        )
        raise GeometryError(msg)
    inputs = () if shown.path is None else (shown.path,)
    return [str(write_cube(shown.cube, Path(path), step=Step(name="cut", inputs=inputs), overwrite=True))]
