"""Keeps the apertures of the session and the points layers the same, whichever of the two is changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from napari.components import ViewerModel
from napari.layers import Points
from napari.layers.base import ActionType

from napari_kmos._napari.frames import Frame
from napari_kmos._napari.points import (
    are_being_drawn,
    drawable,
    ensure_points_layer,
    is_being_shown,
    lift_labels,
    name_points,
    points_layer,
    read_points,
    show_points,
    unique_id,
)
from napari_kmos._napari.session import log_of
from napari_kmos._napari.stage import stage_of
from napari_kmos._napari.under import frames_of
from napari_kmos.aperture import KINDS, Aperture
from napari_kmos.session import Session

Apertures = tuple[Aperture, ...]
#: Points that are moved until the mouse lets go are one action.
_DRAG = "drag"


class ApertureSync:
    """Points are moved, added and removed in the viewer; files are read into the session. Every change can be undone.

    Parameters
    ----------
    viewer : ViewerModel
        Holds the points layers, once there are any.
    session : Session
        Its ``apertures`` and ``selected`` are kept.
    settle : callable, optional
        Given an aperture that was clicked, returns where it shall be: on the star that was meant.
    """

    def __init__(
        self, viewer: ViewerModel, session: Session, settle: Callable[[Aperture], Aperture] = lambda one: one
    ) -> None:
        self.viewer, self.session, self.settle = viewer, session, settle
        self.tell: Callable[[str], None] = lambda _text: None
        self.log = log_of(viewer)
        self._followed: list[Points] = []
        self._n_points: dict[Points, int] = {}
        self._leaving: set[str] = set()
        self._had_layers = False
        self._drawn: set[Frame] = set()
        self._ids: tuple[str, ...] = ()
        self._busy = False
        stage_of(viewer)
        self.log.walked.connect(self._on_walked)

    @property
    def radius_arcsec(self) -> float:
        """Radius of new apertures."""
        return self.session.radius_arcsec

    def follow(self) -> None:
        """Listen to the points layers there are, and take over what they show.

        If the sky they were drawn on is gone, they are drawn on the one there is now.
        """
        self.unfollow()
        drawn = set(frames_of(self.viewer))
        if drawn != self._drawn and drawn:
            self.redraw()
        self._drawn = drawn or self._drawn
        self._followed = [layer for kind in KINDS if (layer := points_layer(self.viewer, kind)) is not None]
        for layer in self._followed:
            layer.events.data.connect(self._on_data)
            layer.events.size.connect(self._on_size)
            layer.events.features.connect(self._on_dragged)
            layer.selected_data.events.items_changed.connect(self._on_selected)
        is_whole = not self._busy and not are_being_drawn(self.viewer)  # a layer that is being made is empty yet
        if is_whole and (self._followed or self._had_layers):  # one that was removed has taken its apertures along
            with self.log.step():
                self._take_over()
        self._had_layers = bool(self._followed)

    def unfollow(self) -> None:
        """Stop listening."""
        for layer in self._followed:
            layer.events.data.disconnect(self._on_data)
            layer.events.size.disconnect(self._on_size)
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

    def redraw(self) -> None:
        """Draw the apertures anew, as after fields were moved or hidden; the selection stays."""
        with self._own_change():
            show_points(self.viewer, self.session.apertures)
            self._count()
        self._ids = tuple(one.id for one in self.session.apertures)

    def show(self, apertures: Sequence[Aperture], what: str = "change", *, selected: Sequence[str] = ()) -> None:
        """Put apertures in place of those there are, and select some; ``what`` is what undoing takes back."""
        with self.log.step(what):
            self.session.apertures = tuple(apertures)
        self.session.selected = tuple(selected)
        self.redraw()
        self.follow()
        self.select(selected)

    def add(self, apertures: Sequence[Aperture], what: str = "adding") -> None:
        """Add apertures; those whose id is taken get another one, those on the far side of the sky are left out."""
        together = list(self.session.apertures)
        for aperture in drawable(self.viewer, apertures):
            id_ = unique_id(aperture.id, [one.id for one in together])
            together.append(dataclasses.replace(aperture, id=id_))
        self.show(together, what)

    def add_numbered(self, apertures: Sequence[Aperture], what: str) -> None:
        """Add stars that have no id yet."""
        taken = {one.id for one in self.session.apertures}
        free = (str(number) for number in range(1, len(taken) + len(apertures) + 1) if str(number) not in taken)
        self.add([dataclasses.replace(one, id=id_) for one, id_ in zip(apertures, free, strict=False)], what)

    def add_at(self, kind: str, ra: float, dec: float) -> None:
        """Add a star or sky area at a place that was pointed at, and select it."""
        taken = {one.id for one in self.session.apertures}
        prefix = "s" if kind == "sky" else ""
        id_ = next(name for n in range(1, len(taken) + 2) if (name := f"{prefix}{n}") not in taken)
        new = self.settle(Aperture(id=id_, kind=kind, ra=ra, dec=dec, radius_arcsec=self.radius_arcsec))
        self.show([*self.session.apertures, new], f"adding {id_}", selected=(id_,))

    def remove_selected(self) -> None:
        """Remove the selected apertures."""
        self._remove(set(self.session.selected))

    def rename(self, before: str, wanted: str) -> None:
        """Give an aperture another id, made unique."""
        others = [one.id for one in self.session.apertures if one.id != before]
        id_ = unique_id(wanted, others)
        renamed = [dataclasses.replace(one, id=id_) if one.id == before else one for one in self.session.apertures]
        self.show(renamed, f"naming {id_}", selected=(id_,))

    def change_selected(self, change: Callable[[Aperture], Aperture], what: str) -> None:
        """Replace each selected aperture by what is made of it."""
        chosen = set(self.session.selected)
        changed = [change(one) if one.id in chosen else one for one in self.session.apertures]
        self.show(changed, what, selected=self.session.selected)

    def resize(self, radius_arcsec: float) -> None:
        """Give the selected apertures, and those to come, a radius."""
        with self._own_change():
            for layer in self._followed:
                layer.current_size = 2 * radius_arcsec
        with self.log.step():
            self.session.radius_arcsec = radius_arcsec
            self.change_selected(lambda one: dataclasses.replace(one, radius_arcsec=radius_arcsec), "the radius")

    def select(self, ids: Sequence[str]) -> None:
        """Select apertures by id."""
        with self._own_change():
            for layer in self._followed:
                found = [index for index, id_ in enumerate(layer.features["id"]) if id_ in ids]
                layer.selected_data = set(found)
                if found and layer.mode != "add":
                    self.viewer.layers.selection.active = layer
                    layer.mode = "select"
        self.session.selected = tuple(ids)

    def choose(self, ids: Sequence[str]) -> None:
        """Select apertures by id, as the user does beside the image: clicks on it add no others any more."""
        with self._own_change():
            for layer in self._followed:
                layer.mode = "select" if layer.mode == "add" else layer.mode
        self.select(ids)

    def selected(self) -> Apertures:
        """Return the selected apertures."""
        return tuple(one for one in self.session.apertures if one.id in self.session.selected)

    def undo(self) -> str:
        """Take the last action back, and tell which; empty if there is none."""
        return self.log.undo()

    def redo(self) -> str:
        """Do the action again that was taken back last, and tell which; empty if there is none."""
        return self.log.redo()

    def _on_walked(self) -> None:
        """Show what was taken back or done again; what came back by that is selected."""
        there = [one.id for one in self.session.apertures]
        back = [id_ for id_ in there if id_ not in self._ids]
        self.redraw()
        self.select(back or [id_ for id_ in self.session.selected if id_ in there])

    def _remove(self, gone: set[str]) -> None:
        left = [one for one in self.session.apertures if one.id not in gone]
        names = ", ".join(sorted(gone))
        self.show(left, f"removing {names}")
        self.tell(f"Removed: {names}" if gone else "Nothing is selected")

    def _take_over(self) -> None:
        """Read the points; without a cube they have no place on the sky, and what is known stays."""
        if frames_of(self.viewer):
            apertures = read_points(self.viewer, self.session.apertures)
            if apertures != self.session.apertures:
                self.session.apertures = apertures
        self._count()

    def _count(self) -> None:
        layers = (points_layer(self.viewer, kind) for kind in KINDS)
        self._n_points = {layer: len(layer.data) for layer in layers if layer is not None}

    @contextmanager
    def _own_change(self) -> Iterator[None]:
        before, self._busy = self._busy, True
        try:
            yield
        finally:
            self._busy = before

    def _on_data(self, event: object) -> None:
        """Take over points that were added, removed, or moved and let go."""
        layer, action = event.source, event.action
        if self._busy or is_being_shown(layer):
            return
        if action == ActionType.REMOVING:
            self._leaving = {str(id_) for id_ in layer.features["id"].iloc[list(event.data_indices)]}
        elif action == ActionType.REMOVED:
            self._remove(self._leaving)
        elif action == ActionType.ADDED:
            self._on_added(layer, event.data_indices)
        elif action == ActionType.CHANGED:
            with self.log.step(gesture=_DRAG):
                self._take_over()
            self.log.settle()
            if sum(self._n_points.values()) > len(self.session.apertures):  # some are drawn in other frames too
                self.redraw()

    def _on_added(self, layer: Points, indices: Sequence[int]) -> None:
        """Name points that were clicked, and put them where they were meant."""
        taken = [str(id_) for other in self._followed if other is not layer for id_ in other.features["id"]]
        before = {one.id for one in self.session.apertures}
        with self._own_change():
            name_points(layer, taken, new=indices)
        found = read_points(self.viewer, self.session.apertures)
        with self.log.step():
            self.session.apertures = tuple(one if one.id in before else self.settle(one) for one in found)
        self.redraw()

    def _on_size(self, event: object) -> None:
        if not (self._busy or is_being_shown(event.source)):
            with self.log.step():
                self._take_over()

    def _on_dragged(self, event: object) -> None:
        """Take over points that move: while the mouse drags them, napari tells of features and not of data."""
        layer = event.source
        if not (self._busy or is_being_shown(layer)) and len(layer.data) == self._n_points.get(layer):
            with self.log.step(gesture=_DRAG):
                self._take_over()

    def _on_selected(self) -> None:
        """Take over the selection of the layer in use; the other layer's is cleared."""
        active = self.viewer.layers.selection.active
        if self._busy or active not in self._followed or is_being_shown(active):
            return
        with self._own_change():
            for other in self._followed:
                if other is not active and other.selected_data:
                    other.selected_data = set()
        ids = [str(id_) for id_ in active.features["id"]]
        chosen = (ids[index] for index in sorted(active.selected_data) if index < len(ids))
        self.session.selected = tuple(dict.fromkeys(chosen))
