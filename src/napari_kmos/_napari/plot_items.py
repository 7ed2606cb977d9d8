"""What is drawn quickly on a plot: error bands, marks of lines with their names, shaded ranges, names at the edge.

One item paints many of a kind in pixels: an item of pyqtgraph's own for each takes longer than twenty spectra.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from qtpy.QtCore import QLineF, QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QFont, QFontMetricsF, QGuiApplication, QPainter, QPen

from napari_kmos.report.line_marks import pulled_apart
from napari_kmos.spectral.windows import Window

#: Points of the font of names on the plot, and pixels from an edge.
_FONT_SIZE, _EDGE = 8, 3
#: Height in pixels over which a line bends to its name.
_BEND = 6
_DASHES = (4.0, 3.0)


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A vertical line with a name.

    Parameters
    ----------
    wavelength_um : float
        Where it is drawn.
    name : str
        What is written along it.
    colour : str
        Of both.
    """

    wavelength_um: float
    name: str
    colour: str


@dataclass(frozen=True, kw_only=True)
class Name:
    """A text at the left edge of the plot: where along y, what, and in which colour."""

    level: float
    text: str
    colour: str


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
        self._colour = QColor()

    def show_colour(self, colour: QColor) -> None:
        """Draw in a colour."""
        self._colour = colour
        self.update()

    def paint(self, painter: QPainter, *_: object) -> None:
        """Draw both directions."""
        place, bounds = painter.transform(), self.boundingRect()
        view = self._in_pixels(painter)
        across, along = self._axes
        for value in _ticks(across, bounds.left(), bounds.right(), view.width()):
            x = place.m11() * value + place.dx()
            painter.fillRect(QRectF(round(x), view.top(), 1, view.height()), self._colour)
        for value in _ticks(along, bounds.top(), bounds.bottom(), view.height()):
            y = place.m22() * value + place.dy()
            painter.fillRect(QRectF(view.left(), round(y), view.width(), 1), self._colour)


class LineMarks(_OverView):
    """Lines from top to bottom, dashed, with their names above them, pulled apart where they crowd.

    Where there is no room for all the names, none is written: zoom in.
    """

    def __init__(self) -> None:
        super().__init__()
        self.marks: tuple[Mark, ...] = ()
        #: Height in pixels of the names, which stand above the lines.
        self.room = 0.0

    def show_marks(self, marks: Sequence[Mark]) -> None:
        """Draw marks in place of those before."""
        self.marks = tuple(sorted(marks, key=lambda mark: mark.wavelength_um))
        self.room = _widest([mark.name for mark in marks])
        self.update()

    def paint(self, painter: QPainter, *_: object) -> None:
        """Draw the marks in view, and as many names as there is room for."""
        place = painter.transform()
        view = self._in_pixels(painter)
        inside = [(place.m11() * mark.wavelength_um + place.dx(), mark) for mark in self.marks]
        inside = [(x, mark) for x, mark in inside if view.left() <= x <= view.right()]
        height = QFontMetricsF(_font()).height()
        shares = pulled_apart([(x - view.left()) / view.width() for x, _ in inside], gap=height / view.width())
        is_named = len(inside) * height <= view.width()
        for share, (x, mark) in zip(shares, inside, strict=True):
            pen = QPen(QColor(mark.colour), 1)
            pen.setDashPattern(_DASHES)
            painter.setPen(pen)
            painter.drawLine(QLineF(x, view.top() + self.room + _BEND, x, view.bottom()))
            if is_named:
                at = view.left() + share * view.width()
                painter.setPen(QPen(QColor(mark.colour), 1))
                painter.drawLine(QLineF(at, view.top() + self.room, x, view.top() + self.room + _BEND))
                painter.translate(at, view.top() + self.room)
                painter.rotate(-90)
                painter.drawText(QPointF(_EDGE, 0.3 * height), mark.name)
                painter.resetTransform()


class Shades(_OverView):
    """Ranges of wavelength, shaded from top to bottom."""

    def __init__(self) -> None:
        super().__init__()
        self.ranges: tuple[tuple[str, tuple[Window, ...]], ...] = ()

    def show_ranges(self, ranges: Sequence[tuple[str, Sequence[Window]]]) -> None:
        """Shade ranges, in micron, each group in its colour, in place of those before."""
        self.ranges = tuple((colour, tuple(windows)) for colour, windows in ranges)
        self.update()

    def paint(self, painter: QPainter, *_: object) -> None:
        """Shade what is in view."""
        place = painter.transform()
        view = self._in_pixels(painter)
        for colour, windows in self.ranges:
            sides = [(place.m11() * first + place.dx(), place.m11() * last + place.dx()) for first, last in windows]
            for left, right in sides:
                if right > view.left() and left < view.right():
                    painter.fillRect(QRectF(left, view.top(), max(right - left, 1.0), view.height()), QColor(colour))


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
        place = painter.transform()
        view = self._in_pixels(painter)
        for name in self.names:
            y = place.m22() * name.level + place.dy()
            if view.top() <= y <= view.bottom():
                painter.setPen(QColor(name.colour))
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
