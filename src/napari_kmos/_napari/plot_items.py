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
from qtpy.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen

from napari_kmos.report.line_marks import pulled_apart
from napari_kmos.spectral.windows import Window

#: Points of the font of names on the plot, and pixels from an edge.
_FONT_SIZE, _EDGE = 8, 3
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
        return QRectF(self.viewRect())

    def viewTransformChanged(self) -> None:  # noqa: N802 - pyqtgraph's name
        """Move with the view."""
        self.prepareGeometryChange()

    def _in_pixels(self, painter: QPainter) -> tuple[QRectF, QFontMetricsF]:
        """Let a painter draw in pixels; return the view in these, and the measures of the font."""
        view = painter.transform().mapRect(self.boundingRect())
        painter.resetTransform()
        font = QFont(painter.font())
        font.setPointSizeF(_FONT_SIZE)
        painter.setFont(font)
        return view, QFontMetricsF(font)


class LineMarks(_OverView):
    """Lines from top to bottom, dashed, with their names along them, pulled apart where they crowd."""

    def __init__(self) -> None:
        super().__init__()
        self.marks: tuple[Mark, ...] = ()

    def show_marks(self, marks: Sequence[Mark]) -> None:
        """Draw marks in place of those before."""
        self.marks = tuple(sorted(marks, key=lambda mark: mark.wavelength_um))
        self.update()

    def paint(self, painter: QPainter, *_: object) -> None:
        """Draw the marks in view, and as many names as there is room for."""
        place = painter.transform()
        view, font = self._in_pixels(painter)
        inside = [(place.m11() * mark.wavelength_um + place.dx(), mark) for mark in self.marks]
        inside = [(x, mark) for x, mark in inside if view.left() <= x <= view.right()]
        for x, mark in inside:
            pen = QPen(QColor(mark.colour), 1)
            pen.setDashPattern(_DASHES)
            painter.setPen(pen)
            painter.drawLine(QLineF(x, view.top(), x, view.bottom()))
        named = _with_room(inside, font.height())
        shares = pulled_apart([(x - view.left()) / view.width() for x, _ in named], gap=font.height() / view.width())
        for share, (_, mark) in zip(shares, named, strict=True):
            painter.save()
            painter.translate(view.left() + share * view.width(), view.top() + _EDGE)
            painter.rotate(90)
            painter.setPen(QColor(mark.colour))
            painter.drawText(QPointF(0, -2), mark.name)
            painter.restore()


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
        view, _ = self._in_pixels(painter)
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

    def show_names(self, names: Sequence[Name]) -> None:
        """Write names in place of those before."""
        self.names = tuple(names)
        self.update()

    def paint(self, painter: QPainter, *_: object) -> None:
        """Write those in view."""
        place = painter.transform()
        view, _ = self._in_pixels(painter)
        for name in self.names:
            y = place.m22() * name.level + place.dy()
            if view.top() <= y <= view.bottom():
                painter.setPen(QColor(name.colour))
                painter.drawText(QPointF(view.left() + _EDGE, y - _EDGE), name.text)


def _with_room(marks: Sequence[tuple[float, Mark]], room: float) -> list[tuple[float, Mark]]:
    """Leave out names of marks closer to their neighbour than half the height of a letter: lines of one feature."""
    kept: list[tuple[float, Mark]] = []
    for one in marks:
        if not kept or one[0] - kept[-1][0] > 0.5 * room:
            kept.append(one)
    return kept
