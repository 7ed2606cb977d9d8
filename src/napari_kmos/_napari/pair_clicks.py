"""Pointing at stars: one in the moving image, then the same one in the reference; once, or for several stars.

How it is used, while a `PairView` shows a pair in another mode than plain::

    clicks = PairClicks(view)
    clicks.asked.connect(say)  # what to click next, or why the last click was none
    clicks.measured.connect(...)  # StarShift, after each pair: the offset to move to, and its error
    clicks.begin()
    clicks.forget()  # the last click, or pair
    clicks.end()

The offset is that of the layer from its header, wherever it stands while it is clicked. A drag is no click, and moves
the layer if the mover is active: end it first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer, Points
from qtpy.QtCore import QObject, Signal

from napari_kmos._napari.frames import AXIS_LABELS, UNITS
from napari_kmos._napari.pair_view import PairView
from napari_kmos._napari.pictures import BESIDE, COLOURS, PAIR_COLOURS
from napari_kmos._napari.points import lift_labels
from napari_kmos.align.clicks import SkyPlace, locate_star, measure_star_shift
from napari_kmos.errors import AlignmentError, KmosError

#: In the metadata of a layer: it marks the stars that were clicked.
KEY = "kmos_clicks"
_SIZE_ARCSEC, _BORDER = 0.5, 0.08
#: How the moving image and the reference are told from each other.
_PLACES = {COLOURS: (" (cyan)", " (red)"), BESIDE: (" (right)", " (left)")}
#: The pointer of a click may wander so far, in pixels of the canvas.
_STILL_PIX = 4.0
NO_PICTURES = "Stars are clicked in the pictures of a pair: show one in red and cyan, blinking or side by side"


@dataclass
class _Stars:
    """The stars located in each image."""

    moving: list[SkyPlace] = field(default_factory=list)
    reference: list[SkyPlace] = field(default_factory=list)


class PairClicks(QObject):
    """Takes clicks in the pictures of a pair as stars and their counterparts.

    Parameters
    ----------
    view : PairView
        Shows the pair; when it shows another one, or none, the clicks are forgotten.
    """

    #: `StarShift` of all pairs so far.
    measured = Signal(object)
    #: What to click next, or why the last click was none.
    asked = Signal(str)

    def __init__(self, view: PairView) -> None:
        super().__init__()
        self.view = view
        self.is_active = False
        self._stars = _Stars()
        view.prepared.connect(self._on_prepared)
        view.hidden.connect(self.end)
        view.scored.connect(self._show_marks)

    def begin(self) -> None:
        """Take clicks from now on.

        Raises
        ------
        KmosError
            If no pictures of a pair are shown.
        """
        if self.view.pictures is None or self.view.pictures.reference is None:
            raise KmosError(NO_PICTURES)
        if not self.is_active:
            self.is_active = True
            self._stars = _Stars()
            self.view.viewer.mouse_drag_callbacks.append(self._on_press)
        self._ask()

    def end(self) -> None:
        """Take no more clicks, and remove the marks."""
        if self.is_active:
            self.is_active = False
            self.view.viewer.mouse_drag_callbacks.remove(self._on_press)
            marks = marks_layer(self.view.viewer)
            if marks is not None:
                self.view.viewer.layers.remove(marks)

    def forget(self) -> None:
        """Forget the last star that waits for its counterpart, else the last pair."""
        lists = self._stars.moving, self._stars.reference
        longest = max(len(one) for one in lists)
        for one in lists:
            if one and len(one) == longest:
                one.pop()
        self._tell()

    def click(self, position: tuple[float, float]) -> None:
        """Take a place (y, x) on the canvas, in arcsec, as a star; side by side, the reference may be the first."""
        pictures, images = self.view.pictures, self.view.images
        if pictures is None or images is None:
            return
        moving, reference = self._stars.moving, self._stars.reference
        is_first = len(moving) == len(reference) and not _is_inside(pictures.moving, position)
        is_reference = len(moving) > len(reference) or (is_first and _is_inside(pictures.reference, position))
        layer = pictures.reference if is_reference else pictures.moving
        image = pictures.below if is_reference else images.moving
        try:
            star = locate_star(image, *layer.world_to_data(position))
        except AlignmentError as err:
            self._ask(str(err))
            return
        (reference if is_reference else moving).append(star)
        self._tell()

    def _tell(self) -> None:
        """Mark the stars, say what comes next, and tell the offset when every star has its counterpart."""
        self._show_marks()
        stars = self._stars
        if stars.moving and len(stars.moving) == len(stars.reference):
            self.measured.emit(measure_star_shift(stars.moving, stars.reference))
        self._ask()

    def _ask(self, problem: str = "") -> None:
        n_moving, n_reference = len(self._stars.moving), len(self._stars.reference)
        is_reference = n_moving > n_reference
        place = _PLACES[self.view.mode][is_reference] if self.view.mode in _PLACES else ""
        where = f"{'the reference' if is_reference else 'the moving image'}{place}"
        which = f"{'a' if n_moving == n_reference else 'the same'} star in {where}"
        n_done = min(n_moving, n_reference)
        more = f" ({n_done} done)" if n_done else ""
        self.asked.emit(f"{problem}. Click {which}{more}" if problem else f"Click {which}{more}")

    def _on_press(self, _viewer: ViewerModel, event: object) -> Iterator[None]:
        """Take a press and release of the mouse without a move between as a click."""
        start = np.array(event.pos)
        yield
        while event.type == "mouse_move":
            yield
        if event.button == 1 and np.hypot(*(np.array(event.pos) - start)) <= _STILL_PIX:
            self.click(tuple(event.position[-2:]))

    def _on_prepared(self, _images: object) -> None:
        """Begin anew with another pair."""
        if self.is_active:
            self._stars = _Stars()
            self._show_marks()
            self._ask()

    def _show_marks(self, *_scored: object) -> None:
        """Mark the stars where they are drawn now: those of the moving image move along."""
        pictures = self.view.pictures
        if not self.is_active or pictures is None or pictures.reference is None:
            return
        shown = zip(pictures.layers, (self._stars.reference, self._stars.moving), PAIR_COLOURS, strict=True)
        drawn = [
            (layer.data_to_world((star.y, star.x)), colour, str(number + 1))
            for layer, stars, colour in shown
            for number, star in enumerate(stars)
        ]
        marks = marks_layer(self.view.viewer) or _add_marks(self.view.viewer)
        marks.data = np.array([place for place, _, _ in drawn]).reshape(-1, 2)
        marks.features = {"label": np.array([label for _, _, label in drawn], dtype=object)}
        if drawn:
            marks.border_color = [colour for _, colour, _ in drawn]
        lift_labels(marks)


def _is_inside(layer: Layer, position: tuple[float, float]) -> bool:
    """Tell whether a place on the canvas lies on an image."""
    pixel = np.array(layer.world_to_data(position))
    return bool(((pixel >= -0.5) & (pixel <= np.array(layer.data.shape) - 0.5)).all())


def marks_layer(viewer: ViewerModel) -> Points | None:
    """Return the layer of the marks, if there is one."""
    return next((layer for layer in viewer.layers if KEY in layer.metadata), None)


def _add_marks(viewer: ViewerModel) -> Points:
    """Add a layer for the marks, on top; the active layer stays active."""
    layer = Points(
        np.empty((0, 2)),
        ndim=2,
        name="clicked stars",
        features={"label": np.empty(0, dtype=object)},
        text={"string": "{label}", "size": 9, "color": "white", "anchor": "center"},
        size=_SIZE_ARCSEC,
        face_color="transparent",
        border_width=_BORDER,
        units=UNITS[1:],
        axis_labels=AXIS_LABELS[1:],
        metadata={KEY: True},
    )
    active = viewer.layers.selection.active
    viewer.add_layer(layer)
    layer.editable = False
    viewer.layers.selection.active = active
    return layer
