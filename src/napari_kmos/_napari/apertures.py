"""Keeps the apertures of the session and the points layers the same, whichever of the two is changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from napari.components import ViewerModel
from napari.layers import Points
from napari.layers.base import ActionType

from napari_kmos._napari.frames import Frame
from napari_kmos._napari.points import (
    KEY,
    RADIUS_ARCSEC,
    ensure_points_layer,
    frames_of,
    lift_labels,
    name_points,
    points_layer,
    read_points,
    show_points,
    unique_id,
)
from napari_kmos.aperture import KINDS, Aperture
from napari_kmos.session import Session


class ApertureSync:
    """Points are moved, added and removed in the viewer; files are read into the session.

    Parameters
    ----------
    viewer : ViewerModel
        Holds the points layers, once there are any.
    session : Session
        Its ``apertures`` and ``selected`` are kept.
    """

    def __init__(self, viewer: ViewerModel, session: Session) -> None:
        self.viewer, self.session = viewer, session
        self.radius_arcsec = RADIUS_ARCSEC
        self._followed: list[Points] = []
        self._had_layers = False
        self._drawn: set[Frame] = set()
        self._busy = False

    def follow(self) -> None:
        """Listen to the points layers there are, and take over what they show.

        If the sky they were drawn on is gone, they are drawn on the one there is now.
        """
        self.unfollow()
        drawn = set(frames_of(self.viewer))
        if drawn and not self._drawn <= drawn:
            with self._own_change():
                show_points(self.viewer, self.session.apertures)
        self._drawn = drawn or self._drawn
        self._followed = [layer for kind in KINDS if (layer := points_layer(self.viewer, kind)) is not None]
        for layer in self._followed:
            layer.events.data.connect(self._on_points_changed)
            layer.events.size.connect(self._on_points_changed)
            layer.events.features.connect(self._on_dragged)
            layer.selected_data.events.items_changed.connect(self._on_selected)
        if self._followed or self._had_layers:  # a layer that was removed has taken its apertures along
            self._take_over()
        self._had_layers = bool(self._followed)

    def unfollow(self) -> None:
        """Stop listening."""
        for layer in self._followed:
            layer.events.data.disconnect(self._on_points_changed)
            layer.events.size.disconnect(self._on_points_changed)
            layer.events.features.disconnect(self._on_dragged)
            layer.selected_data.events.items_changed.disconnect(self._on_selected)
        self._followed = []

    def begin_adding(self, kind: str) -> None:
        """Let clicks add stars or sky areas."""
        layer = ensure_points_layer(self.viewer, kind)
        self.follow()
        self.viewer.layers.selection.active = layer
        with self._own_change():
            layer.selected_data = set()
            layer.current_size = 2 * self.radius_arcsec
            lift_labels(layer)
        layer.mode = "add"

    def show(self, apertures: Sequence[Aperture]) -> None:
        """Put apertures in place of those there are."""
        with self._own_change():
            show_points(self.viewer, apertures)
        self.session.apertures = tuple(apertures)
        self.session.selected = ()
        self.follow()

    def add(self, apertures: Sequence[Aperture]) -> None:
        """Add apertures; those whose id is taken get another one."""
        together = list(self.session.apertures)
        for aperture in apertures:
            id_ = unique_id(aperture.id, [one.id for one in together])
            together.append(dataclasses.replace(aperture, id=id_))
        self.show(together)

    def remove_selected(self) -> None:
        """Remove the selected apertures."""
        gone = set(self.session.selected)
        self.show([one for one in self.session.apertures if one.id not in gone])

    def rename(self, before: str, wanted: str) -> None:
        """Give an aperture another id, made unique."""
        others = [one.id for one in self.session.apertures if one.id != before]
        id_ = unique_id(wanted, others)
        renamed = [dataclasses.replace(one, id=id_) if one.id == before else one for one in self.session.apertures]
        self.show(renamed)
        self.select((id_,))

    def resize(self, radius_arcsec: float) -> None:
        """Give the selected apertures, and those to come, a radius."""
        self.radius_arcsec = radius_arcsec
        with self._own_change():
            for layer in self._followed:
                layer.current_size = 2 * radius_arcsec
                lift_labels(layer)
        self._take_over()

    def select(self, ids: Sequence[str]) -> None:
        """Select apertures by id."""
        with self._own_change():
            for layer in self._followed:
                found = [index for index, id_ in enumerate(layer.features["id"]) if id_ in ids]
                layer.selected_data = set(found)
                if found:
                    self.viewer.layers.selection.active = layer
                    layer.mode = "select"
        self.session.selected = tuple(ids)

    def selected(self) -> tuple[Aperture, ...]:
        """Return the selected apertures."""
        return tuple(one for one in self.session.apertures if one.id in self.session.selected)

    def _take_over(self) -> None:
        """Read the points; without a cube they have no place on the sky, and what is known stays."""
        if frames_of(self.viewer):
            self.session.apertures = read_points(self.viewer, self.session.apertures)

    @contextmanager
    def _own_change(self) -> Iterator[None]:
        before, self._busy = self._busy, True
        try:
            yield
        finally:
            self._busy = before

    def _on_points_changed(self, event: object) -> None:
        if self._busy:
            return
        layer = event.source
        is_new = getattr(event, "action", None) == ActionType.ADDED
        taken = [str(id_) for other in self._followed if other is not layer for id_ in other.features["id"]]
        with self._own_change():
            name_points(layer, taken, new=event.data_indices if is_new else ())
        self._take_over()

    def _on_dragged(self, event: object) -> None:
        """Take over points that move: while the mouse drags them, napari tells of features and not of data."""
        kind = event.source.metadata[KEY]
        if len(event.source.data) == sum(one.kind == kind for one in self.session.apertures):
            self._on_points_changed(event)

    def _on_selected(self) -> None:
        """Take over the selection of the layer in use; the other layer's is cleared."""
        active = self.viewer.layers.selection.active
        if self._busy or active not in self._followed:
            return
        with self._own_change():
            for other in self._followed:
                if other is not active and other.selected_data:
                    other.selected_data = set()
        ids = list(active.features["id"])
        self.session.selected = tuple(str(ids[index]) for index in sorted(active.selected_data) if index < len(ids))
