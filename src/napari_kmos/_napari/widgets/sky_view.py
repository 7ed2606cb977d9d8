"""What the sky subtraction does in one IFU: a line of numbers, spectra, tables and images."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_kmos._napari.sky_preview import Preview
from napari_kmos._napari.widgets.parts import Message, SideBySide
from napari_kmos._napari.widgets.sky_plots import SkyPlots
from napari_kmos._napari.widgets.sky_tables import SkyTables

_MOST_LINES = 2
#: Spectra have a place of their own where there is room beside the tables, or above them.
_WIDE, _HIGH = 620, 460


class SkyView(QWidget):
    """Shows a preview, or says why there is none."""

    def __init__(self) -> None:
        super().__init__()
        self.plots, self.line = SkyPlots(), Message(most_lines=_MOST_LINES)
        self.tables = SkyTables()
        self.on_canvas = self.tables.images.on_canvas
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        self._parts = SideBySide(self.plots, self.tables)
        self._parts.setStretchFactor(0, 1)
        self._parts.setStretchFactor(1, 0)
        column.addWidget(self.line)
        column.addWidget(self._parts, stretch=1)

    def resizeEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Put the spectra among the tables where there is no room for both."""
        super().resizeEvent(event)
        is_small = self.width() < _WIDE and self.height() < _HIGH
        if is_small and self.tables.indexOf(self.plots) < 0:
            self.tables.insertTab(0, self.plots, "Spectra")
            self.tables.setCurrentIndex(0)
        elif not is_small and self._parts.indexOf(self.plots) < 0:
            self._parts.insertWidget(0, self.plots)
            self.plots.show()

    def show_preview(self, preview: Preview) -> None:
        """Show what the subtraction does."""
        self.plots.show_result(preview.result, preview.marks)
        self.tables.show_result(preview.result)
        self.line.say(_summary(preview))

    def show_progress(self, text: str) -> None:
        """Say what the next preview waits for; the last one stays."""
        self.line.say(f"{text}…")

    def show_problem(self, text: str) -> None:
        """Show nothing but why."""
        for part in (self.plots, self.tables):
            part.clear()
        self.line.say(text)


def _summary(preview: Preview) -> str:
    """Say what counts: what is left, the sky, the shift, the time, and what the steps warned of."""
    result = preview.result
    left = result.residual_over_noise
    parts = [
        result.method,
        f"left on the lines: {left:.2f} of the noise" if np.isfinite(left) else "",
        f"shift {result.shift_pix:+.3f} pix",
        f"{preview.seconds:.1f} s",
    ]
    parts.append(f"sky {preview.choice.label}, {preview.choice.reason}")
    notes = [note for note in (preview.choice.shortfall, *preview.notes) if note]
    return "\n".join([" · ".join(part for part in parts if part), *(f"⚠ {note}" for note in notes)])
