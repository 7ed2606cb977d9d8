"""Seeing two layers as a pair: one image of each, at one contrast, over each other, while one of them is moved.

How it is used::

    view = PairView(viewer)
    view.scored.connect(score_view.show_score)  # Score and ScoreCurve, after each move
    view.failed.connect(say)  # why there is nothing to see
    view.show(reference, moving, mode="red/cyan", image=PairImage())
    view.show(catalogue, moving)  # its stars, drawn and as an image, with the positions of the date: `Catalogue.at`
    view.hide()  # everything as it was

`PairView.show` may be called again at any time, for another pair, mode or image: what can stay stays. The layers of the
pair stay where they are, active and draggable, but are transparent; pictures of them, two layers more, are drawn in
their place and follow `moving` however it is moved. Nothing else needs to be told of a move.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtCore import QObject, QTimer, Signal

from napari_kmos._napari.catalogue import catalogue_layer
from napari_kmos._napari.errors import notify
from napari_kmos._napari.labels import outline_layer
from napari_kmos._napari.layers import kmos_of, part_near
from napari_kmos._napari.looks import Looks
from napari_kmos._napari.pair_images import PairImage, PairImages, PairScored, Wanted, make_pair, prepare
from napari_kmos._napari.passing import PassingCatalogue
from napari_kmos._napari.pictures import (
    BESIDE,
    BLINK,
    COLOURS,
    DIFFERENCE,
    MODES,
    PAIR_COLOURS,
    PLAIN,
    Pictures,
    box_of,
)
from napari_kmos._napari.positions import offset_of
from napari_kmos._napari.workers import Latest, begin_thread
from napari_kmos.align.score import Score
from napari_kmos.catalogue import Catalogue
from napari_kmos.errors import KmosError

_BLINK_MS, _WHITE = 500, PairImage()
_EVENTS = ("affine", "translate")


class PairView(QObject):
    """Shows a pair of layers in one of `MODES`, and scores how well they agree.

    Parameters
    ----------
    viewer : ViewerModel
        Viewer of the layers.

    Attributes
    ----------
    reference, moving : Layer, optional
        The pair that is shown; the reference may be a catalogue.
    mode : str
        How it is shown.
    images : PairImages, optional
        What is shown, once it is made.
    blink_ms : int
        How long each of the two is seen.
    """

    #: The images are there and shown: `PairImages`.
    prepared = Signal(object)
    #: After each move, and when the pair is prepared: `Score`, and `ScoreCurve` through the offset.
    scored = Signal(object, object)
    #: No pair is shown any more.
    hidden = Signal()
    #: Why there is nothing to see, as text.
    failed = Signal(str)
    #: What is done now, if it takes long.
    progressed = Signal(str)

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self.viewer = viewer
        self.reference: Layer | Catalogue | None = None
        self.moving: Layer | None = None
        self.mode = PLAIN
        self.images: PairImages | None = None
        self.pictures: Pictures | None = None
        self._image = PairImage()
        self._wanted: Wanted | None = None
        self._scale: Score | None = None
        self._looks = Looks(viewer)
        self._sources = PassingCatalogue(viewer)
        self._seen: tuple[Any, ...] = ()
        self._making, self._scoring = Latest(), Latest()
        self._making.ready.connect(self._on_made)
        self._making.failed.connect(self._on_failed)
        self._making.progressed.connect(self.progressed)
        self._scoring.ready.connect(self._on_scored)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._on_blink)
        self._arriving = QTimer(self)
        self._arriving.setSingleShot(True)
        self._arriving.timeout.connect(self._on_arrived)
        self._active: Layer | None = None
        self.blink_ms = _BLINK_MS
        begin_thread(prepare)

    @property
    def is_shown(self) -> bool:
        """True from `show` to `hide`."""
        return self._looks.is_changed

    def show(
        self, reference: Layer | Catalogue | None, moving: Layer, *, mode: str = COLOURS, image: PairImage = _WHITE
    ) -> None:
        """Show a pair, in place of another one; of a large cube, the images take a while.

        Parameters
        ----------
        reference : Layer or Catalogue, optional
            A layer of ours: of a cube, an image, or all IFUs of an exposure; or a catalogue, whose stars are
            drawn over the moving layer, too. None: the moving one alone.
        moving : Layer
            The layer of a cube.
        mode : str
            One of `MODES`. Plain shows the layers as they are, and no others.
        image : PairImage
            Which image of the two.

        Raises
        ------
        KmosError
            If there is no such mode.
        """
        if mode not in MODES:
            msg = f"mode {mode!r} does not exist; there are {', '.join(MODES)}"
            raise KmosError(msg)
        self._arriving.stop()
        is_new = (reference, moving) != (self.reference, self.moving)
        if is_new:
            self._follow(on=False)
            self.reference, self.moving = reference, moving
            self._follow(on=True)
            self._sources.show(reference if isinstance(reference, Catalogue) else None)
        if is_new or image != self._image or self._wanted is None:
            self._image, self.images = image, None
            self._request()
        self.mode = mode
        self._draw()

    def hide(self) -> None:
        """Take the pictures away; layers and camera are as they were before the first `show`."""
        self._follow(on=False)
        self._arriving.stop()
        self.reference = self.moving = self.images = self._wanted = None
        self._drop()
        self._sources.show(None)
        self._seen = ()
        if self._looks.is_changed:
            self._looks.restore()
            self.hidden.emit()

    def _draw(self) -> None:
        """Show what there is of the pair in the mode chosen, and nothing else."""
        self._drop()
        pair = self._layers()
        drawn = [outline_layer(self.viewer)]  # names are as large as the pair
        drawn += [] if isinstance(self.reference, Catalogue) else [catalogue_layer(self.viewer)]
        self._looks.show_alone(pair, without=[one for one in drawn if one is not None])
        if self.mode == COLOURS and len(pair) == 2:  # until there are pictures
            self._looks.change(
                {one: {"blending": "additive", "colormap": two} for one, two in zip(pair, PAIR_COLOURS, strict=True)}
            )
        if self.images is not None and self.mode != PLAIN:
            self.pictures = Pictures(self.viewer, self.images, kmos_of(self.moving).frame, self.mode)
            self._looks.change({layer: {"opacity": 0.0} for layer in pair})
            if self._scale is not None:
                self.pictures.match(self._scale)
            if self.mode == BLINK:
                self._timer.start(self.blink_ms)
        self._zoom()
        self._on_moved()

    def _drop(self) -> None:
        """Remove the pictures."""
        self._timer.stop()
        pictures, self.pictures = self.pictures, None
        if pictures is not None:
            pictures.remove()

    def _zoom(self) -> None:
        """Bring the pair into view, when it is another one or lies otherwise; the user may look elsewhere then."""
        seen = self.reference, self.moving, self.pictures is not None and self.mode == BESIDE
        if seen == self._seen:
            return
        self._seen = seen
        low, high = box_of([self.moving]) if self.pictures is None else self.pictures.box()
        camera = self.viewer.scene.camera
        camera.center = (*camera.center[:-2], *((low + high) / 2))
        camera.zoom = float(min(self.viewer.canvas.size / (high - low)))

    def _layers(self) -> list[Layer]:
        """Return the layers of the pair: the reference, if it is one, and the moving one."""
        return [one for one in (self.reference, self.moving) if isinstance(one, Layer)]

    def _follow(self, *, on: bool) -> None:
        """Listen to the layers of the pair, or stop."""
        layers = self.viewer.layers.events
        links = [(layers.removed, self._on_removed), (layers.inserted, self._on_inserted)]
        for layer, slot in zip(reversed(self._layers()), (self._on_moved, self._on_reference_moved), strict=False):
            links += [(getattr(layer.events, name), slot) for name in _EVENTS]
        for event, slot in links if self.moving is not None else ():
            (event.connect if on else event.disconnect)(slot)

    def _request(self) -> None:
        """Have the images made, in a thread."""
        moving, reference = kmos_of(self.moving), self.reference
        is_layer = isinstance(reference, Layer)
        self._wanted = wanted = Wanted(
            reference=part_near(reference, moving).turned if is_layer else reference,
            moving=moving.turned,
            base=offset_of(reference) if is_layer else (0.0, 0.0),
            offset=offset_of(self.moving),
            image=self._image,
        )
        self._making.request(lambda progress: (wanted, make_pair(wanted, progress=progress)))

    def _on_made(self, answer: tuple[Wanted, PairImages]) -> None:
        wanted, images = answer
        if wanted is self._wanted:
            self.images, self._scale = images, images.scale
            self._draw()
            self.prepared.emit(images)

    def _on_failed(self, problem: BaseException) -> None:
        """Say why there is nothing to see, until asked again; what is no fault of the user comes with its traceback."""
        self._wanted = None
        self.failed.emit(str(problem) if isinstance(problem, KmosError) else notify(problem))

    def _on_moved(self, _event: object = None) -> None:
        """Let the picture follow, and score the offset, in a thread."""
        offset, images = offset_of(self.moving), self.images
        if self.pictures is not None:
            self.pictures.move_to(kmos_of(self.moving).frame, *offset)
        if images is not None and images.score is not None:
            is_difference = self.mode == DIFFERENCE
            self._scoring.request(lambda _progress: (images, images.score_at(*offset, difference=is_difference)))

    def _on_scored(self, answer: tuple[PairImages, PairScored]) -> None:
        images, scored = answer
        if images is not self.images:
            return
        if scored.score.residual < np.nan_to_num(self._scale.residual, nan=np.inf):  # its flux scale is the better one
            self._scale = scored.score
            if self.pictures is not None:
                self.pictures.match(scored.score)
        if self.pictures is not None and self.mode == DIFFERENCE and scored.difference is not None:
            self.pictures.show_difference(scored.difference)
        self.scored.emit(scored.score, scored.curve)

    def _on_reference_moved(self, _event: object) -> None:
        self._request()

    def _on_removed(self, event: object) -> None:
        """Give up a pair of which a layer is gone."""
        if event.value in (self.reference, self.moving, *(self.pictures.layers if self.pictures else ())):
            self.hide()

    def _on_inserted(self, event: object) -> None:
        """Hide a layer that comes, as a product of a step; napari makes it the active one only after this."""
        if kmos_of(event.value) is None:
            return
        self._looks.hide(event.value)
        if not self._arriving.isActive():
            self._active = self.viewer.layers.selection.active
            self._arriving.start(0)

    def _on_arrived(self) -> None:
        """Have the layer active again that was: it can be dragged on."""
        if self._active in self.viewer.layers:
            self.viewer.layers.selection.active = self._active

    def _on_blink(self) -> None:
        if self.pictures is not None:
            self.pictures.blink()
