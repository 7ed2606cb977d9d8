"""Apertures as points: a layer for stars and one for sky, each circle as large on the sky as it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Points

from napari_kmos._napari.frames import AXIS_LABELS, UNITS, Frame, frame_at
from napari_kmos._napari.layers import kmos_layers, kmos_of
from napari_kmos.aperture import KINDS, Aperture

KEY = "kmos_apertures"
NAMES = {"star": "stars", "sky": "sky areas"}
COLOURS = {"star": "#35e0e8", "sky": "#f5f5f5"}
RADIUS_ARCSEC = 0.3
_BORDER = 0.06
_ABOVE = 1.3


def points_layer(viewer: ViewerModel, kind: str) -> Points | None:
    """Return the layer of the stars or of the sky areas, if there is one."""
    return next((layer for layer in viewer.layers if layer.metadata.get(KEY) == kind), None)


def ensure_points_layer(viewer: ViewerModel, kind: str) -> Points:
    """Return the layer of the stars or of the sky areas; made and put on top if there is none."""
    layer = points_layer(viewer, kind)
    if layer is None:
        layer = Points(
            np.empty((0, 2)),
            ndim=2,
            name=NAMES[kind],
            features={"id": np.empty(0, dtype=object)},
            text={"string": "{id}", "size": 9, "color": COLOURS[kind], "anchor": "center"},
            size=2 * RADIUS_ARCSEC,
            face_color="transparent",
            border_color=COLOURS[kind],
            border_width=_BORDER,
            units=UNITS[1:],
            axis_labels=AXIS_LABELS[1:],
            metadata={KEY: kind},
        )
        viewer.add_layer(layer)
    return layer


def frames_of(viewer: ViewerModel) -> list[Frame]:
    """Return the frames in use, each once."""
    return list(dict.fromkeys(part.frame for layer in kmos_layers(viewer) for part in kmos_of(layer).parts))


def read_points(viewer: ViewerModel, known: Sequence[Aperture] = ()) -> tuple[Aperture, ...]:
    """Return the apertures that the points layers show.

    Parameters
    ----------
    viewer : ViewerModel
        Viewer with at least one KMOS layer; without one there is no sky, and nothing is returned.
    known : sequence of Aperture
        Apertures whose side, excluded spaxels and further columns are kept, by id.
    """
    drawn = frames_of(viewer)
    kept = {one.id: {name: getattr(one, name) for name in ("sky_side", "excluded_spaxels", "extra")} for one in known}
    layers = [layer for kind in KINDS if (layer := points_layer(viewer, kind)) is not None] if drawn else []
    found = [one for layer in layers for one in apertures_of(layer.data, _attributes(layer), drawn)]
    return tuple(dataclasses.replace(one, **kept.get(one.id, {})) for one in found)


def apertures_of(data: np.ndarray, attributes: Mapping[str, Any], drawn: Sequence[Frame]) -> list[Aperture]:
    """Return points as apertures.

    Parameters
    ----------
    data : ndarray, shape (n, d)
        Positions; the last two coordinates are those on the canvas in arcsec.
    attributes : mapping
        Of a points layer: ``size``, and if it is one of ours ``features`` with the ids and ``metadata`` with the kind.
    drawn : sequence of Frame
        Frames that are drawn.
    """
    places = np.atleast_2d(np.asarray(data, dtype=float))[:, -2:] if len(data) else np.empty((0, 2))
    sizes = np.broadcast_to(np.asarray(attributes.get("size", 2 * RADIUS_ARCSEC), dtype=float), len(places))
    features = attributes.get("features")
    named = features is not None and "id" in features
    ids = [str(id_) for id_ in features["id"]] if named else [str(number + 1) for number in range(len(places))]
    kind = attributes.get("metadata", {}).get(KEY, "star")
    return [
        Aperture(id=id_, kind=kind, ra=float(ra), dec=float(dec), radius_arcsec=float(size) / 2)
        for id_, (ra, dec), size in zip(ids, _on_sky(drawn, places), sizes, strict=True)
    ]


def show_points(viewer: ViewerModel, apertures: Sequence[Aperture]) -> None:
    """Make the points layers show these apertures, each in the frame that is drawn nearest to it on the sky."""
    drawn = frames_of(viewer)
    for kind in KINDS if drawn else ():
        chosen = [aperture for aperture in apertures if aperture.kind == kind]
        if not chosen and points_layer(viewer, kind) is None:
            continue
        layer = ensure_points_layer(viewer, kind)
        layer.selected_data = set()
        layer.data = np.array([_on_canvas(drawn, one) for one in chosen]).reshape(-1, 2)
        layer.features = {"id": np.array([one.id for one in chosen], dtype=object)}
        layer.size = [2 * one.radius_arcsec for one in chosen]
        lift_labels(layer)


def name_points(layer: Points, taken: Sequence[str], *, new: Sequence[int] = ()) -> None:
    """Give points without an id of their own the next free number, with an ``s`` before it for sky areas.

    Parameters
    ----------
    layer : Points
        One of ours.
    taken : sequence of str
        Ids in other layers.
    new : sequence of int
        Points whose id, if they have one, is a copy of another's.
    """
    prefix = "s" if layer.metadata[KEY] == "sky" else ""
    ids = [str(id_) for id_ in layer.features["id"]]
    nameless = set(_positive(new, len(ids)))
    nameless |= {index for index, id_ in enumerate(ids) if id_ in ("", "nan", "None", *taken, *ids[:index])}
    used = {*taken, *(id_ for index, id_ in enumerate(ids) if index not in nameless)}
    for index in sorted(nameless):
        number = next(n for n in range(1, len(used) + 2) if f"{prefix}{n}" not in used)
        ids[index] = f"{prefix}{number}"
        used.add(ids[index])
    if nameless:
        layer.features = {"id": np.array(ids, dtype=object)}


def lift_labels(layer: Points) -> None:
    """Put the ids above the circles."""
    largest = float(np.max(layer.size) if len(layer.size) else layer.current_size) / 2
    layer.text.translation = np.array([-_ABOVE * largest, 0.0])


def unique_id(wanted: str, others: Sequence[str]) -> str:
    """Return an id that no other aperture has: the one wanted, else with a number behind it."""
    if wanted not in others:
        return wanted
    return next(f"{wanted}-{n}" for n in range(2, len(others) + 3) if f"{wanted}-{n}" not in others)


def _positive(indices: Sequence[int], length: int) -> list[int]:
    """Count indices from the start; napari counts a point just added as -1."""
    return sorted(index % length for index in indices)


def _attributes(layer: Points) -> dict[str, Any]:
    return {"size": layer.size, "features": layer.features, "metadata": layer.metadata}


def _on_sky(drawn: Sequence[Frame], places: np.ndarray) -> np.ndarray:
    """Right ascension and declination of places on the canvas, all those of a frame at once: a drag asks often."""
    found = np.empty_like(places)
    frames = [frame_at(drawn, y, x) for y, x in places]
    for frame in set(frames):
        mine = [index for index, other in enumerate(frames) if other is frame]
        found[mine] = np.stack(frame.to_sky(*places[mine].T), axis=1)
    return found


def _on_canvas(drawn: Sequence[Frame], aperture: Aperture) -> tuple[float, float]:
    """Where an aperture is drawn: in the frame whose middle is nearest on the sky."""
    places = [(frame, frame.to_canvas(aperture.ra, aperture.dec)) for frame in drawn]
    _, place = min(places, key=lambda one: np.hypot(one[1][0] - one[0].y, one[1][1] - one[0].x))
    return place
