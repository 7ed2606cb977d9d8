"""The mouse and the keys over the canvas while spectra are taken: stars are pointed at, and what is beneath is seen."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Points
from qtpy.QtCore import QObject, Signal

from napari_kmos._napari.apertures import ApertureSync
from napari_kmos._napari.commands import current_plane, thickness
from napari_kmos._napari.keys import Keys, focus_canvas_unless_typing
from napari_kmos._napari.live import CURSOR, HOVERING
from napari_kmos._napari.picking import Picker
from napari_kmos._napari.points import KEY, points_layer
from napari_kmos._napari.under import Under, cube_holding, cube_under, sky_at
from napari_kmos.aperture import KINDS, Aperture
from napari_kmos.cube import pixel_scale_arcsec
from napari_kmos.errors import KmosError
from napari_kmos.session import Session
from napari_kmos.spatial.centroid import fit_centroid
from napari_kmos.spatial.snapping import OFF, SNAPPING, snap
from napari_kmos.spatial.wcs import pixel_to_sky, sky_to_pixel

#: What the keys do, as it is told in the dock.
KEY_TEXTS = (
    ("S", "star at the cursor"),
    ("B", "sky area at the cursor (background)"),
    ("E", "exclude the spaxel at the cursor, or use it again, for the selected stars"),
    ("Delete", "remove the selected"),
    ("Ctrl+Z, Ctrl+Shift+Z", "undo, redo"),
    ("Shift+arrow", "sky from this side of the ring only; again: from all of it"),
    ("N", "snapping: centroid, brightest pixel, off"),
    ("H", "hovering: spaxel, aperture, nothing"),
)
_SIDES = {"Left": "left", "Right": "right", "Up": "up", "Down": "down"}
ALL = "all"
#: So far about a star its width is fitted, at least.
_LEAST_FIT_PIX = 3.0
NO_STAR = "Select a star first"
NO_CUBE = "There is no cube beneath the cursor"


class Pointer(QObject):
    """Takes what is pointed at over the canvas of a viewer.

    Parameters
    ----------
    sync : ApertureSync
        Gets the apertures.
    session : Session
        Says how clicks snap.
    """

    #: The mouse is somewhere else, or what is hovered for has changed.
    moved = Signal()
    #: The mouse has left the canvas.
    left = Signal()
    #: What was done, or why not.
    told = Signal(str)

    def __init__(self, sync: ApertureSync, session: Session) -> None:
        super().__init__()
        self.sync, self.session = sync, session
        sync.settle, sync.tell = self.settled, self.told.emit
        self._keys_of_viewer = Keys(sync.viewer, self._functions(is_layer=False))
        self._keys: dict[Points, Keys] = {}
        self._picker = Picker(sync.viewer, sync.choose)
        self.is_active = False

    @property
    def viewer(self) -> ViewerModel:
        """The viewer."""
        return self.sync.viewer

    def begin(self) -> None:
        """Listen to the mouse, and take the keys."""
        if not self.is_active:
            self.is_active = True
            self.viewer.mouse_move_callbacks.append(self._on_move)
            self.viewer.mouse_drag_callbacks.append(self._on_press)
            self._picker.begin()
            self.viewer.events.mouse_over_canvas.connect(self._on_over)
        self._keys_of_viewer.take()
        self.adopt_layers()

    def adopt_layers(self) -> None:
        """Take the keys of the points layers there are: while one of them is active, they go before the viewer's."""
        for kind in KINDS if self.is_active else ():
            layer = points_layer(self.viewer, kind)
            if layer is not None and layer not in self._keys:
                self._keys[layer] = Keys(layer, self._functions(is_layer=True))
                self._keys[layer].take()

    def give_back(self) -> None:
        """Leave the keys of the viewer to others; those of the points layers stay."""
        self._keys_of_viewer.release()

    def end(self) -> None:
        """Give mouse and keys back."""
        self._keys_of_viewer.release()
        for keys in self._keys.values():
            keys.release()
        self._keys = {}
        if self.is_active:
            self.is_active = False
            self.viewer.mouse_move_callbacks.remove(self._on_move)
            self.viewer.mouse_drag_callbacks.remove(self._on_press)
            self._picker.end()
            self.viewer.events.mouse_over_canvas.disconnect(self._on_over)

    def settled(self, aperture: Aperture) -> Aperture:
        """Return an aperture where the star is that was pointed at, by what is drawn there; sky areas stay."""
        if aperture.kind != "star" or self.session.snapping == OFF:
            return aperture
        under = cube_holding(self.viewer, aperture.ra, aperture.dec)
        if under is None:
            return aperture
        reach = aperture.radius_arcsec / pixel_scale_arcsec(under.cube.wcs)
        image, (row, column) = under.image(current_plane(self.viewer), thickness(self.viewer), 2 * reach + 3)
        y, x = snap(image, (under.y - row, under.x - column), reach_pix=reach, how=self.session.snapping)
        ra, dec = pixel_to_sky(under.cube.wcs, y + row, x + column)
        return dataclasses.replace(aperture, ra=float(ra) % 360, dec=float(dec))

    def cursor(self) -> tuple[Under, Aperture] | None:
        """Return the cube beneath the cursor, and an aperture there, of the radius of new ones; None without a cube."""
        place = self.viewer.cursor.position[-2:]
        under, sky = cube_under(self.viewer, place), sky_at(self.viewer, place)
        if under is None or sky is None:
            return None
        return under, Aperture(id=CURSOR, ra=sky[0], dec=sky[1], radius_arcsec=self.sync.radius_arcsec)

    def add(self, kind: str) -> None:
        """Add a star or sky area at the cursor."""
        found = self.cursor()
        if found is None:
            self.told.emit(NO_CUBE)
        else:
            self.sync.add_at(kind, found[1].ra, found[1].dec)
            self.told.emit(f"Added: {', '.join(self.session.selected)}")

    def measure_fwhm(self) -> float:
        """Return the width of the first of the selected stars in arcsec, by a Gaussian fitted to what is drawn.

        Raises
        ------
        KmosError
            If none is selected or lies on a visible cube, or none fits.
        """
        star = next((one for one in self.sync.selected() if one.kind == "star"), None)
        under = None if star is None else cube_holding(self.viewer, star.ra, star.dec)
        if under is None:
            raise KmosError(NO_STAR)
        scale = pixel_scale_arcsec(under.cube.wcs)
        reach = max(self.session.fwhm_arcsec / scale, _LEAST_FIT_PIX)  # neighbours lie further out
        image, (row, column) = under.image(current_plane(self.viewer), thickness(self.viewer), reach)
        return fit_centroid(image, start=(under.y - row, under.x - column), radius_pix=reach).fwhm_pix * scale

    def exclude(self) -> None:
        """Exclude the spaxel at the cursor for the selected stars; one that is excluded is used again."""
        found = self.cursor()
        if found is None or not self.sync.selected():
            self.told.emit(NO_STAR if found is not None else NO_CUBE)
            return
        wcs, (y, x) = found[0].cube.wcs, found[0].spaxel

        def change(star: Aperture) -> Aperture:
            at = [tuple(np.round(sky_to_pixel(wcs, *sky)).astype(int)) for sky in star.excluded_spaxels]
            left = tuple(sky for sky, spaxel in zip(star.excluded_spaxels, at, strict=True) if spaxel != (y, x))
            new = () if (y, x) in at else (found[0].spaxel_sky,)
            return dataclasses.replace(star, excluded_spaxels=(*left, *new))

        self.sync.change_selected(change, f"spaxel y={y} x={x}")

    def take_side(self, side: str) -> None:
        """Take the sky of the selected stars from one side of the ring; from all of it if that was so already."""
        selected = self.sync.selected()
        if not selected:
            self.told.emit(NO_STAR)
            return
        new = ALL if all(one.sky_side == side for one in selected) else side
        self.sync.change_selected(lambda one: dataclasses.replace(one, sky_side=new), f"side {new}")
        self.told.emit(f"Sky of {', '.join(one.id for one in selected)}: {new} of the ring")

    def _functions(self, *, is_layer: bool) -> dict[str, Callable[[], object]]:
        """Return what the keys do."""
        functions: dict[str, Callable[[], object]] = {
            "S": partial(self.add, "star"),
            "B": partial(self.add, "sky"),
            "E": self.exclude,
            "Control-Z": self._undo,
            "Control-Shift-Z": self._redo,
            "N": partial(self._next, "snapping", SNAPPING),
            "H": partial(self._next, "hovering", HOVERING),
        }
        functions |= {f"Shift-{key}": partial(self.take_side, side) for key, side in _SIDES.items()}
        if not is_layer:  # a points layer removes what is selected by itself
            functions["Delete"] = self.sync.remove_selected
        return functions

    def _next(self, name: str, choices: Sequence[str]) -> None:
        """Choose the next way of snapping or hovering."""
        now = getattr(self.session, name)
        setattr(self.session, name, choices[(choices.index(now) + 1) % len(choices)])
        self.told.emit(f"{name.capitalize()}: {getattr(self.session, name)}")

    def _undo(self) -> None:
        what = self.sync.undo()
        self.told.emit(f"Undone: {what}" if what else "There is nothing to undo")

    def _redo(self) -> None:
        what = self.sync.redo()
        self.told.emit(f"Redone: {what}" if what else "There is nothing to redo")

    def _on_move(self, _viewer: ViewerModel, event: Any) -> None:
        if not event.is_dragging:
            self.moved.emit()

    def _on_over(self) -> None:
        """Tell that the mouse has left; where it comes from a table or a field, the keys come along."""
        if not self.viewer.mouse_over_canvas:
            self.left.emit()
        else:
            focus_canvas_unless_typing(self.viewer)

    def _on_press(self, viewer: ViewerModel, event: Any) -> Iterator[None]:
        """Let a star be dragged while clicks add others: on a star napari's own way of selecting does that."""
        layer = viewer.layers.selection.active
        if layer is None or KEY not in layer.metadata or layer.mode != "add":
            return
        if event.button != 1 or layer.get_value(event.position, world=True) is None:
            return
        layer.mode = "select"
        yield
        while event.type == "mouse_move":
            yield
        selected = set(layer.selected_data)
        layer.mode = "add"
        layer.selected_data = selected
