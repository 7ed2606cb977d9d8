"""How well a pair agrees where it stands: numbers, and the residual along east and along north.

Connect `PairView.scored` to `ScoreView.show_score`, and call `ScoreView.clear` when no pair is shown.
"""

from __future__ import annotations

import math

import numpy as np
from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QLabel, QVBoxLayout

from napari_kmos._napari.plots import NO_PLOT, dress, make_plot, pg
from napari_kmos._napari.schemes import CYAN, ORANGE, ThemedWidget
from napari_kmos.align.score import Score, ScoreCurve

_HINT = "How well the pair agrees appears here"
_HEIGHT, _HEADROOM = 120, 0.05
_COLOURS = {"east": CYAN, "north": ORANGE}
_TIP = (
    "Residual: what is left of the difference, over its noise; about 1 where all is right, and lowest at the right "
    "offset. Stars: found in both and closer than a star's width, of those of the moving image that lie on the "
    "reference; their distances from each other. The curve: the residual when moved further east or north from here."
)


class ScoreView(ThemedWidget):
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
        self.plot = make_plot(_HEIGHT)
        self.plot.setLabel("left", "residual")
        self.plot.setMouseEnabled(x=False, y=False)
        self.plot.hideButtons()
        self.plot.setMenuEnabled(False)
        self._here = pg.InfiniteLine(0)
        self.plot.addItem(self._here, ignoreBounds=True)
        self.curves = tuple(self.plot.plot(name=name, connect="finite") for name in _COLOURS)
        column.addWidget(self.plot)
        self._dress()

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

    def _dress(self) -> None:
        if pg is None:
            return
        dress(self.plot, self.scheme)
        self._here.setPen(pg.mkPen(self.scheme.marker, width=1.5))
        named = []
        for line, (name, place) in zip(self.curves, _COLOURS.items(), strict=True):
            colour = self.scheme.curves[place]
            line.setPen(pg.mkPen(colour, width=2))
            named.append(f'<span style="color: {colour}">{name}</span>')
        self.plot.setLabel("bottom", f"further {' or '.join(named)} (″)")


def text_of(score: Score) -> str:
    """Return a score in a line."""
    if math.isnan(score.residual):
        return "too little of the two overlaps"
    stars = f"stars {score.n_matched} of {score.n_stars}"
    rms = "" if math.isnan(score.rms_arcsec) else f", rms {score.rms_arcsec:.3f}″"
    return f"residual {score.residual:.2f}   {stars}{rms}   gain {score.gain:.2f}"
