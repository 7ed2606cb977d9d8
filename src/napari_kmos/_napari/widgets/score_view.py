"""How well a pair agrees where it stands: numbers, and the residual along east and along north.

Connect `PairView.scored` to `ScoreView.show_score`, and call `ScoreView.clear` when no pair is shown.
"""

from __future__ import annotations

import math

import numpy as np
from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_kmos._napari.plots import COLOURS, NO_PLOT, make_plot, pg
from napari_kmos.align.score import Score, ScoreCurve

_HINT = "How well the pair agrees appears here"
_HEIGHT, _HEADROOM = 120, 0.05
_NAMES = ("east", "north")
_MARK = "#ff5c57"
_TIP = (
    "Residual: what is left of the difference, over its noise; about 1 where all is right, and lowest at the right "
    "offset. Stars: found in both and closer than a star's width, of those of the moving image that lie on the "
    "reference; their distances from each other. The curve: the residual when moved further east or north from here."
)


class ScoreView(QWidget):
    """Numbers, and a small plot that follows the offset: here is zero."""

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self.numbers = QLabel(_HINT)
        self.numbers.setToolTip(_TIP)
        self.numbers.setTextFormat(Qt.TextFormat.PlainText)
        column.addWidget(self.numbers)
        self.curves: tuple = ()
        if pg is None:
            self.numbers.setText(NO_PLOT)
            return
        self.plot, legend = make_plot(_HEIGHT)
        legend.hide()  # a plot so low has no room for it
        named = [f'<span style="color: {one}">{name}</span>' for name, one in zip(_NAMES, COLOURS, strict=False)]
        self.plot.setLabel("bottom", f"further {' or '.join(named)} (″)")
        self.plot.setLabel("left", "residual")
        self.plot.setMouseEnabled(x=False, y=False)
        self.plot.hideButtons()
        self.plot.setMenuEnabled(False)
        self.plot.addItem(pg.InfiniteLine(0, pen=pg.mkPen(_MARK, width=1.5)), ignoreBounds=True)
        self.curves = tuple(
            self.plot.plot(pen=pg.mkPen(colour, width=2), name=name, connect="finite")
            for name, colour in zip(_NAMES, COLOURS, strict=False)
        )
        column.addWidget(self.plot)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Ask for little."""
        return QSize(300, _HEIGHT + 2 * self.fontMetrics().lineSpacing())

    def show_score(self, score: Score, curve: ScoreCurve) -> None:
        """Show the score where the pair stands."""
        self.numbers.setText(text_of(score))
        for line, values in zip(self.curves, (curve.east, curve.north), strict=False):
            line.setData(curve.steps_arcsec, values)
        if self.curves:
            self.plot.setXRange(curve.steps_arcsec[0], curve.steps_arcsec[-1], padding=0)
            highest = np.nanmax([1.0, *curve.east, *curve.north])
            self.plot.setYRange(0, highest, padding=_HEADROOM)

    def clear(self) -> None:
        """Show nothing."""
        self.numbers.setText(_HINT)
        for line in self.curves:
            line.setData([], [])


def text_of(score: Score) -> str:
    """Return a score in a line."""
    if math.isnan(score.residual):
        return "too little of the two overlaps"
    stars = f"stars {score.n_matched} of {score.n_stars}"
    rms = "" if math.isnan(score.rms_arcsec) else f", rms {score.rms_arcsec:.3f}″"
    return f"residual {score.residual:.2f}   {stars}{rms}   gain {score.gain:.2f}"
