"""What is drawn quickly on a plot: error bands, marks of lines with their names, shaded ranges, names at the edge.

One item paints many of a kind in pixels: an item of pyqtgraph's own for each takes longer than twenty spectra.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from qtpy.QtCore import QLineF, QPointF, QRectF, Qt, Signal
from qtpy.QtGui import QColor, QFont, QFontMetricsF, QGuiApplication, QPainter, QPen

from napari_kmos._napari.schemes import DARK, Scheme
from napari_kmos.report.line_marks import pulled_apart
from napari_kmos.spectral.windows import Window
from napari_kmos.spectrum import SpectralLine

#: Points of the font of names on the plot, and pixels from an edge.
_FONT_SIZE, _EDGE = 8, 3
#: Height in pixels over which a line bends to its name.
_BEND = 6
_GRID = 35
_DASHES = (4.0, 3.0)


@dataclass(frozen=True, kw_only=True)
class Name:
    """A text at the left edge of the plot: where along y, what, and the place of its colour in the scheme."""

    level: float
    text: str
    place: int


class DrawBox(pg.ViewBox):
    """A view in which a window is drawn by the mouse while Shift is held; without, it is dragged as ever."""

    #: First and last wavelength, and whether this is the end of the drag.
    drawn = Signal(float, float, bool)

    def mouseDragEvent(self, ev: Any, axis: int | None = None) -> None:  # noqa: N802 - pyqtgraph's name
        """Draw, or drag."""
        if axis is None and ev.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            ev.accept()
            ends = sorted(self.mapToView(place).x() for place in (ev.buttonDownPos(), ev.pos()))
            if ends[1] > ends[0]:
                self.drawn.emit(*ends, ev.isFinish())
        else:
            super().mouseDragEvent(ev, axis=axis)


class Marker(pg.InfiniteLine):
    """The wavelength cursor, dragged by the mouse; with Shift held a window is drawn across it."""

    def mouseDragEvent(self, ev: Any) -> None:  # noqa: N802 - pyqtgraph's name
        """Leave it to the view while Shift is held."""
        if not ev.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            super().mouseDragEvent(ev)


class ErrorBand(pg.GraphicsObject):
    """What lies within the error of a curve, as a bar a column of pixels; a polygon takes twenty times as long."""

    def __init__(self) -> None:
        super().__init__()
        self._edges: NDArray[np.float64] = np.empty((0, 4))
        self._bounds = QRectF()
        self._colour = QColor()

    def show_band(self, x: NDArray[np.float64], y: NDArray[np.float64], err: NDArray[np.float64], colour: str) -> None:
        """Draw y - err to y + err; where one of them is NaN, nothing."""
        middle = 0.5 * (x[1:] + x[:-1])
        sides = np.concatenate([[1.5 * x[0] - 0.5 * x[1]], middle, [1.5 * x[-1] - 0.5 * x[-2]]])
        known = np.isfinite(y + err)
        edges = np.stack([sides[:-1], sides[1:], y - err, y + err], axis=1)[known]
        self.prepareGeometryChange()
        self._edges, self._colour = edges, QColor(colour)
        self._bounds = QRectF()
        if edges.size:
            low, high = edges[:, 2].min(), edges[:, 3].max()
            self._bounds = QRectF(edges[0, 0], low, edges[-1, 1] - edges[0, 0], high - low)
        self.update()

    def boundingRect(self) -> QRectF:  # noqa: N802 - Qt's name
        """Return where it is drawn."""
        return self._bounds

    def paint(self, painter: QPainter, *_: object) -> None:
        """Draw a bar a column of pixels."""
        if not self._edges.size:
            return
        place = painter.transform()
        painter.resetTransform()
        left, right = np.rint(place.m11() * self._edges[:, :2].T + place.dx())
        low, high = place.m22() * self._edges[:, 2:].T + place.dy()
        starts = np.flatnonzero(np.diff(left, prepend=np.nan) != 0)
        bars = pg.Qt.internals.PrimitiveArray(QRectF, 4)
        bars.resize(starts.size)
        numbers = bars.ndarray()
        numbers[:, 0], numbers[:, 1] = left[starts], np.minimum.reduceat(high, starts)
        numbers[:, 2] = np.maximum(np.maximum.reduceat(right, starts) - left[starts], 1)
        numbers[:, 3] = np.maximum.reduceat(low, starts) - numbers[:, 1]
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._colour)
        painter.drawRects(*bars.drawargs())


class _OverView(pg.GraphicsObject):
    """Something that is drawn over the whole view, and has no part in its range."""

    scheme = DARK

    def dress(self, scheme: Scheme) -> None:
        """Draw in the colours of a scheme."""
        self.scheme = scheme
        self.update()

    def boundingRect(self) -> QRectF:  # noqa: N802 - Qt's name
        """Return all that is in view."""
        box = self.getViewBox()
        return QRectF() if box is None else QRectF(box.viewRect())

    def viewRangeChanged(self) -> None:  # noqa: N802 - pyqtgraph's name
        """Move with the view."""
        self.prepareGeometryChange()

    def _in_pixels(self, painter: QPainter) -> QRectF:
        """Let a painter draw in pixels, and return the view in these."""
        view = painter.transform().mapRect(self.boundingRect())
        painter.resetTransform()
        painter.setFont(_font())
        return QRectF(view)


class Grid(_OverView):
    """Lines at the large ticks; those of pyqtgraph, at the small ones too, take longer to draw than all the curves.

    Parameters
    ----------
    axes : sequence of AxisItem
        The horizontal and the vertical one.
    """

    def __init__(self, axes: Sequence[pg.AxisItem]) -> None:
        super().__init__()
        self._axes = axes

    def paint(self, painter: QPainter, *_: object) -> None:
        """Draw both directions."""
        place, bounds = painter.transform(), self.boundingRect()
        view = self._in_pixels(painter)
        colour = QColor(self.scheme.text)
        colour.setAlpha(_GRID)
        across, along = self._axes
        for value in _ticks(across, bounds.left(), bounds.right(), view.width()):
            x = place.m11() * value + place.dx()
            painter.fillRect(QRectF(round(x), view.top(), 1, view.height()), colour)
        for value in _ticks(along, bounds.top(), bounds.bottom(), view.height()):
            y = place.m22() * value + place.dy()
            painter.fillRect(QRectF(view.left(), round(y), view.width(), 1), colour)


class LineMarks(_OverView):
    """Lines from top to bottom, dashed, with their names above them, pulled apart where they crowd.

    Where there is no room for all the names, those that would lie on the one before are left out: zoom in.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lines: tuple[SpectralLine, ...] = ()
        #: Height in pixels of the names, which stand above the lines.
        self.room = 0.0

    def show_lines(self, lines: Iterable[SpectralLine]) -> None:
        """Mark lines, where they are seen, in place of those before."""
        self.lines = tuple(sorted(lines, key=lambda line: line.wavelength_um))
        self.room = _widest([line.name for line in self.lines])
        self.update()

    def paint(self, painter: QPainter, *_: object) -> None:
        """Draw the marks in view, and the names for which there is room."""
        place = painter.transform()
        view = self._in_pixels(painter)
        inside = [(place.m11() * line.wavelength_um + place.dx(), line) for line in self.lines]
        inside = [(x, line) for x, line in inside if view.left() <= x <= view.right()]
        height = QFontMetricsF(_font()).height()
        named = named_places([x for x, _ in inside], gap=height, width=view.width())
        places = [(inside[one][0] - view.left()) / view.width() for one in named]
        shares = dict(zip(named, pulled_apart(places, gap=height / view.width()), strict=True))
        below = view.top() + self.room
        for number, (x, line) in enumerate(inside):
            colour = QColor(self.scheme.head if line.kind == "head" else self.scheme.line)
            pen = QPen(colour, 1)
            painter.setPen(pen)
            if number in shares:
                at = view.left() + shares[number] * view.width()
                painter.drawLine(QLineF(at, below, x, below + _BEND))
                painter.translate(at, below)
                painter.rotate(-90)
                painter.drawText(QPointF(_EDGE, 0.3 * height), line.name)
                painter.resetTransform()
            pen.setDashPattern(_DASHES)
            painter.setPen(pen)
            painter.drawLine(QLineF(x, below + _BEND, x, view.bottom()))


def named_places(places: Sequence[float], *, gap: float, width: float) -> list[int]:
    """Return which of some marks are named: all if their names fit, else each that is a gap from the one before.

    Examples
    --------
    >>> named_places([0.0, 1.0, 9.0], gap=5.0, width=20.0), named_places([0.0, 1.0, 9.0], gap=5.0, width=12.0)
    ([0, 1, 2], [0, 2])
    """
    if len(places) * gap <= width:
        return list(range(len(places)))
    named: list[int] = []
    for number, place in enumerate(places):
        if not named or place - places[named[-1]] >= gap:
            named.append(number)
    return named


class Shades(_OverView):
    """Ranges of wavelength, shaded from top to bottom."""

    def __init__(self) -> None:
        super().__init__()
        self.ranges: dict[str, Sequence[Window]] = {}

    def show_ranges(self, ranges: Mapping[str, Sequence[Window]]) -> None:
        """Shade ranges, in micron, by their kind, ``"telluric"`` or ``"airglow"``, in place of those before."""
        self.ranges = dict(ranges)
        self.update()

    def paint(self, painter: QPainter, *_: object) -> None:
        """Shade what is in view."""
        place = painter.transform()
        view = self._in_pixels(painter)
        painter.setPen(Qt.PenStyle.NoPen)
        for kind, windows in self.ranges.items():
            painter.setBrush(QColor(getattr(self.scheme, kind)))
            sides = [(place.m11() * first + place.dx(), place.m11() * last + place.dx()) for first, last in windows]
            painter.drawRects(
                [
                    QRectF(left, view.top(), max(right - left, 1.0), view.height())
                    for left, right in sides
                    if right > view.left() and left < view.right()
                ]
            )


class EdgeNames(_OverView):
    """Names at the left edge, each at the height of what it names."""

    def __init__(self) -> None:
        super().__init__()
        self.names: tuple[Name, ...] = ()
        #: Width in pixels of the widest.
        self.room = 0.0

    def show_names(self, names: Sequence[Name]) -> None:
        """Write names in place of those before."""
        self.names = tuple(names)
        self.room = _widest([name.text for name in names])
        self.update()

    def paint(self, painter: QPainter, *_: object) -> None:
        """Write those in view."""
        place, view = painter.transform(), self._in_pixels(painter)
        for name in self.names:
            y = place.m22() * name.level + place.dy()
            if view.top() <= y <= view.bottom():
                painter.setPen(QColor(self.scheme.curves[name.place % len(self.scheme.curves)]))
                painter.drawText(QPointF(view.left() + _EDGE, y + _EDGE), name.text)


def _ticks(axis: pg.AxisItem, low: float, high: float, n_pixels: float) -> Sequence[float]:
    """Return the large ticks of an axis."""
    levels = axis.tickValues(low, high, n_pixels)
    return levels[0][1] if levels else ()


def _font() -> QFont:
    """Return the font of names on the plot."""
    font = QFont(QGuiApplication.font())
    font.setPointSizeF(_FONT_SIZE)
    return font


def _widest(texts: Sequence[str]) -> float:
    """Return the width of the widest text in pixels, with room at both ends; 0 without a text."""
    measure = QFontMetricsF(_font())
    return max((measure.horizontalAdvance(text) + 2 * _EDGE for text in texts), default=0.0)
