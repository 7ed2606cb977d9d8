"""Apertures as points: a layer for stars and one for sky, each circle as large on the sky as it is."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

import numpy as np
from napari.components import ViewerModel
from napari.layers import Points

from napari_kmos._napari.canvas_colours import KEY as COLOURS
from napari_kmos._napari.canvas_colours import follow_theme
from napari_kmos._napari.frames import AXIS_LABELS, UNITS, Frame, frame_at
from napari_kmos._napari.under import fields_seen, frames_of
from napari_kmos.aperture import KINDS, Aperture
from napari_kmos.errors import KmosWarning
from napari_kmos.spatial.fields import is_inside
from napari_kmos.words import counted

KEY = "kmos_apertures"
NAMES = {"star": "stars", "sky": "sky areas"}
_COLOURS = {"star": ("#35e0e8", "#0092a0"), "sky": ("#f5f5f5", "#7f8690")}
RADIUS_ARCSEC = 0.3
_BORDER = 0.06
_ABOVE = 1.3
#: Rounding of places on the canvas and of sizes.
_SAME_DEG, _SAME_SHARE = 2e-8, 1e-6

_shown_now: WeakSet[Points] = WeakSet()
_drawn_now: WeakSet[ViewerModel] = WeakSet()


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
            text={"string": "{id}", "size": 9, "anchor": "center"},
            size=2 * RADIUS_ARCSEC,
            face_color="transparent",
            border_width=_BORDER,
            units=UNITS[1:],
            axis_labels=AXIS_LABELS[1:],
            metadata={KEY: kind, COLOURS: _COLOURS[kind]},
        )
        viewer.add_layer(layer)
        follow_theme(viewer)
    return layer


def read_points(viewer: ViewerModel, known: Sequence[Aperture] = ()) -> tuple[Aperture, ...]:
    """Return the apertures that the points layers show, each once, in the order known, new ones last.

    Parameters
    ----------
    viewer : ViewerModel
        Viewer with at least one KMOS layer; without one there is no sky, and nothing is returned.
    known : sequence of Aperture
        What these were before, by id: what a point does not tell of them is kept, and of an aperture that is drawn in
        several frames the point that was moved counts.
    """
    drawn = frames_of(viewer)
    before = {aperture.id: aperture for aperture in known}
    layers = [layer for kind in KINDS if (layer := points_layer(viewer, kind)) is not None] if drawn else []
    found: dict[str, list[Aperture]] = {}
    for layer in layers:
        for one in apertures_of(layer.data, _attributes(layer), drawn):
            found.setdefault(one.id, []).append(one)
    place = {id_: number for number, id_ in enumerate(before)}
    ordered = sorted(found, key=lambda id_: place.get(id_, len(place)))
    return tuple(_updated(before.get(id_), found[id_]) for id_ in ordered)


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
    """Make the points layers show these apertures: in each frame with a visible field that holds it, at least in one.

    What was selected stays so, as far as it is there.
    """
    is_first = viewer not in _drawn_now
    _drawn_now.add(viewer)
    try:
        _draw(viewer, apertures)
    finally:
        if is_first:
            _drawn_now.discard(viewer)


def are_being_drawn(viewer: ViewerModel) -> bool:
    """Tell whether the apertures of a viewer are being drawn: layers that are made for that do not show all of them."""
    return viewer in _drawn_now


def _draw(viewer: ViewerModel, apertures: Sequence[Aperture]) -> None:
    for kind in KINDS if frames_of(viewer) else ():
        chosen = [aperture for aperture in apertures if aperture.kind == kind]
        if not chosen and points_layer(viewer, kind) is None:
            continue
        layer = ensure_points_layer(viewer, kind)
        rows, places = _on_canvas(viewer, chosen)
        ids = [chosen[row].id for row in rows]
        with _showing(layer):
            selected = {str(id_) for id_ in layer.features["id"].iloc[sorted(layer.selected_data)]}
            layer.selected_data = set()
            layer.data = places
            layer.features = {"id": np.array(ids, dtype=object)}
            layer.size = [2 * chosen[row].radius_arcsec for row in rows]
            layer.selected_data = {index for index, id_ in enumerate(ids) if id_ in selected}
            lift_labels(layer)


def select_points(viewer: ViewerModel, ids: Sequence[str]) -> None:
    """Select the points of apertures on the image; whoever follows the points does not take that for the user's."""
    for layer in _layers(viewer):
        found = {index for index, id_ in enumerate(layer.features["id"]) if id_ in ids}
        if found != set(layer.selected_data):
            with _showing(layer):
                layer.selected_data = found


def drawable(viewer: ViewerModel, apertures: Sequence[Aperture]) -> list[Aperture]:
    """Return the apertures that have a place on the canvas; a warning names the others, on the far side of the sky."""
    ra, dec = (np.array([getattr(one, name) for one in apertures], dtype=float) for name in ("ra", "dec"))
    is_there = np.ones(len(ra), dtype=bool)
    for frame in frames_of(viewer) if len(ra) else ():
        is_there &= np.isfinite(frame.to_canvas(ra, dec)).all(axis=0)
    far = [one.id for one, there in zip(apertures, is_there, strict=True) if not there]
    if far:
        text = f"left out, more than 90 degrees from the cubes: {counted(len(far), 'aperture')}, the first {far[0]!r}"
        warnings.warn(f"{text}; expected positions in degrees", KmosWarning, stacklevel=3)
    return [one for one, there in zip(apertures, is_there, strict=True) if there]


def selected_ids(viewer: ViewerModel) -> tuple[str, ...]:
    """Return the ids of the apertures whose points are selected by the user; none while that is changed from here."""
    layers = _layers(viewer)
    if any(is_being_shown(layer) for layer in layers):
        return ()
    return tuple(
        str(layer.features["id"].iloc[index])
        for layer in layers
        for index in sorted(layer.selected_data)
        if index < len(layer.features)
    )


def selection_events(viewer: ViewerModel) -> list:
    """Return the signals that tell of the selection of points."""
    return [layer.selected_data.events.items_changed for layer in _layers(viewer)]


def _layers(viewer: ViewerModel) -> list[Points]:
    """Return the points layers there are."""
    return [layer for kind in KINDS if (layer := points_layer(viewer, kind)) is not None]


@contextmanager
def _showing(layer: Points) -> Iterator[None]:
    """Change a layer in several steps, of which none is to be taken for the whole."""
    _shown_now.add(layer)
    try:
        yield
    finally:
        _shown_now.discard(layer)


def is_being_shown(layer: Points) -> bool:
    """Tell whether a layer is changed from here: what its points tell meanwhile is not what the user does."""
    return layer in _shown_now


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
    nameless |= {index for index, id_ in enumerate(ids) if id_ in ("", "nan", "None", *taken)}
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


def _on_canvas(viewer: ViewerModel, apertures: Sequence[Aperture]) -> tuple[list[int], np.ndarray]:
    """Return where apertures are drawn: the row of the aperture and the place (y, x) of each point.

    One that no field holds is drawn in the frame whose middle is nearest on the sky.
    """
    ra, dec = (np.array([getattr(one, name) for one in apertures], dtype=float) for name in ("ra", "dec"))
    inside: dict[Frame, np.ndarray] = {frame: np.zeros(len(ra), dtype=bool) for frame in frames_of(viewer)}
    for frame, field in fields_seen(viewer) if len(ra) else ():
        inside[frame] |= is_inside(field, ra, dec)
    places = np.array([np.stack(frame.to_canvas(ra, dec), axis=1) for frame in inside]).reshape(len(inside), len(ra), 2)
    middles = np.array([(frame.y, frame.x) for frame in inside])
    nearest = np.argmin(np.linalg.norm(places - middles[:, None], axis=-1), axis=0)
    held = np.array(list(inside.values()))
    lost = np.flatnonzero(~held.any(axis=0))
    held[nearest[lost], lost] = True
    rows, frames = np.nonzero(held.T)
    return rows.tolist(), places[frames, rows]


def _updated(before: Aperture | None, found: Sequence[Aperture]) -> Aperture:
    """Return an aperture as its points show it; the same if nothing about it has changed."""
    if before is None:
        return found[0]
    changed = [one for one in found if not _is_same(one, before)]
    if not changed:
        return before
    now = changed[-1]
    return dataclasses.replace(before, kind=now.kind, ra=now.ra, dec=now.dec, radius_arcsec=now.radius_arcsec)


def _is_same(one: Aperture, other: Aperture) -> bool:
    """Tell whether two apertures differ by rounding only."""
    apart = max(abs((one.ra - other.ra + 180) % 360 - 180), abs(one.dec - other.dec))
    is_as_large = abs(one.radius_arcsec / other.radius_arcsec - 1) < _SAME_SHARE
    return one.kind == other.kind and apart < _SAME_DEG and is_as_large
