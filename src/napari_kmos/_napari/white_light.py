"""White light as a way of showing cubes: their own layers draw the median over the wavelengths, not a plane."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary, ref

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtCore import QObject, Signal

from napari_kmos._napari.commands import is_white, label_slider
from napari_kmos._napari.errors import notify
from napari_kmos._napari.layers import contrast_limits, cube_layers, planes_of
from napari_kmos._napari.once import once_a_viewer
from napari_kmos._napari.planes import Planes
from napari_kmos._napari.workers import Task
from napari_kmos.cube import Cube, Image
from napari_kmos.errors import KmosError
from napari_kmos.progress import Cancelled, Progress, silent
from napari_kmos.summary import preview_white_light, white_light

#: Cubes up to this size all together are computed at once, without a thread: 24 IFUs take less than drawing them.
_AT_ONCE_BYTES = 128 * 2**20

Limits = tuple[float, float]


@dataclass(eq=False)
class _Look:
    """What is known of a layer: an image for each of its parts, and contrast limits: in white light, those chosen."""

    of_planes: Limits
    of_white: Limits | None = None
    images: dict[Planes, np.ndarray] = field(default_factory=dict)
    exact: set[Planes] = field(default_factory=set)


@dataclass(frozen=True)
class _Wanted:
    """An image to be made for a part of a layer."""

    layer: Layer
    part: Planes
    cube: Cube
    make: Callable[..., Image]


class WhiteLight(QObject):
    """Shows cubes in white light: small ones at once, large ones as a preview first, then exactly.

    Parameters
    ----------
    viewer : ViewerModel
        Viewer of the layers; cubes that are added while white light is shown are shown in it, too.

    Attributes
    ----------
    is_on : bool
        True if cubes are shown in white light.
    done : float
        How far the image that is being computed is, 0 to 1; NaN if none is.
    """

    #: `is_on` or `done` changed.
    changed = Signal()

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = ref(viewer)
        self._looks: WeakKeyDictionary[Layer, _Look] = WeakKeyDictionary()
        self._waiting: list[_Wanted] = []
        self._task: Task | None = None
        self._served: Layer | None = None
        self.is_on = False
        self.done = float("nan")
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._on_removed)

    @property
    def is_running(self) -> bool:
        """True while an image is being computed."""
        return self._task is not None

    def show(self, layers: Sequence[Layer]) -> None:
        """Show cube layers in white light."""
        self.is_on = True
        left = _AT_ONCE_BYTES
        problems: dict[str, KmosError] = {}  # the IFUs of a file that vanished tell the same
        for layer in layers:
            left -= sum(part.size * part.dtype.itemsize for _, part in planes_of(layer))
            try:
                self._summarise(layer, at_once=left >= 0)
            except KmosError as err:
                problems[str(err)] = err
        for problem in problems.values():
            notify(problem)
        self._next()

    def hide(self) -> None:
        """Show planes again; what is being computed is given up."""
        self.is_on = False
        self._waiting = []
        if self._task is not None:
            self._task.cancel()
        for layer, look in self._looks.items():
            if is_white(layer):
                look.of_white = _chosen_limits(layer)
                for _, part in planes_of(layer):
                    part.image = None
                _redraw(layer, look.of_planes)
        self._tell()

    def _summarise(self, layer: Layer, *, at_once: bool) -> None:
        """Make the images of a layer, or let the thread make them: all previews before any exact image."""
        if layer not in self._looks:
            self._looks[layer] = _first_look(layer)
        look = self._looks[layer]
        wanted = [
            _Wanted(layer, part, shown.cube, white_light) for shown, part in planes_of(layer) if part not in look.exact
        ]
        for one in wanted if at_once else ():
            look.images[one.part] = one.make(one.cube).data
            look.exact.add(one.part)
        if not at_once:
            quick = [dataclasses.replace(one, make=_preview) for one in wanted if one.part not in look.images]
            self._waiting = [*quick, *self._waiting, *wanted]
        self._draw(layer)

    def _next(self) -> None:
        """Begin what waits, unless something runs."""
        if self._task is None and self._waiting:
            one = self._waiting.pop(0)
            self.done = 0.0
            self._served = one.layer
            self._task = Task(one.make, one.cube)
            self._task.progressed.connect(self._on_progressed)
            self._task.succeeded.connect(lambda image: self._on_made(one, image))
            self._task.failed.connect(self._on_failed)
            self._task.ended.connect(self._on_ended)
            self._task.start()
        self._tell()

    def _draw(self, layer: Layer) -> None:
        """Draw the images known of a layer; until the user changes the contrast limits, they follow."""
        look, viewer = self._looks[layer], self._viewer()
        if not (self.is_on and look.images and viewer is not None and layer in viewer.layers):
            return
        if is_white(layer):
            look.of_white = _chosen_limits(layer)
        else:
            look.of_planes = _limits_of(layer)
        for _, part in planes_of(layer):
            part.image = look.images.get(part)
        _redraw(layer, look.of_white or _limits_for(look.images.values()))

    def _tell(self) -> None:
        if (viewer := self._viewer()) is not None:
            label_slider(viewer)
        self.changed.emit()

    def _on_inserted(self, event: object) -> None:
        viewer = self._viewer()
        if self.is_on and viewer is not None and event.value in cube_layers(viewer):
            self.show([event.value])

    def _on_removed(self, event: object) -> None:
        """Give up the images of a layer that is gone."""
        self._waiting = [one for one in self._waiting if one.layer is not event.value]
        if self._task is not None and self._served is event.value:
            self._task.cancel()

    def _on_progressed(self, done: int, total: int, _text: str) -> None:
        self.done = done / max(total, 1)
        self.changed.emit()

    def _on_made(self, one: _Wanted, image: Image) -> None:
        look = self._looks[one.layer]
        look.images[one.part] = image.data
        if one.make is white_light:
            look.exact.add(one.part)
        self._draw(one.layer)

    def _on_failed(self, problem: BaseException) -> None:
        """Tell why there is no image, and wait for no other: likely they lack the same file."""
        if not isinstance(problem, Cancelled):  # what waits then was asked for since
            self._waiting = []
            notify(problem)

    def _on_ended(self) -> None:
        self._task = self._served = None
        self.done = float("nan")
        self._next()


@once_a_viewer
def white_light_of(viewer: ViewerModel) -> WhiteLight:
    """Return the white light of a viewer; made when first asked for, gone with the viewer."""
    return WhiteLight(viewer)


def toggle_white_light(viewer: ViewerModel) -> None:
    """Show all visible cubes in white light, or planes again."""
    shown = white_light_of(viewer)
    if shown.is_on:
        shown.hide()
    else:
        shown.show([layer for layer in cube_layers(viewer) if layer.visible])


def _preview(cube: Cube, *, progress: Progress = silent) -> Image:
    """Return the preview; the thread can be told to stop before it."""
    progress(0, 1, f"white light of {cube.label}")
    return preview_white_light(cube)


def _first_look(layer: Layer) -> _Look:
    """Return what is known of a layer that is new here."""
    if is_white(layer):  # it was copied or split from a layer in white light
        for _, part in planes_of(layer):
            part.image = None
        layer.contrast_limits = contrast_limits(layer.data)
    return _Look(_limits_of(layer))


def _limits_of(layer: Layer) -> Limits:
    low, high = layer.contrast_limits
    return low, high


def _limits_for(images: Iterable[np.ndarray]) -> Limits:
    """Return contrast limits that suit the images of all parts."""
    return contrast_limits(np.concatenate([np.ravel(image) for image in images]))


def _chosen_limits(layer: Layer) -> Limits | None:
    """Return the contrast limits of a layer in white light if the user changed them."""
    drawn = [part.image for _, part in planes_of(layer) if part.image is not None]
    return None if _limits_of(layer) == _limits_for(drawn) else _limits_of(layer)


def _redraw(layer: Layer, limits: Limits) -> None:
    """Draw a layer whose data changed."""
    layer.contrast_limits = limits
    layer.refresh(extent=False)
