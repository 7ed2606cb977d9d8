"""What the sky subtraction does in one IFU: spectra, a line of numbers, images, tables."""

from __future__ import annotations

import numpy as np
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_kmos._napari.sky_preview import Preview
from napari_kmos._napari.widgets.parts import Message, SideBySide
from napari_kmos._napari.widgets.sky_images import SkyThumbnails
from napari_kmos._napari.widgets.sky_plots import SkyPlots
from napari_kmos._napari.widgets.sky_tables import SkyTables

_MOST_LINES = 2


class SkyView(QWidget):
    """Shows a preview, or says why there is none."""

    def __init__(self) -> None:
        super().__init__()
        self.plots, self.line = SkyPlots(), Message(most_lines=_MOST_LINES)
        self.images, self.tables = SkyThumbnails(), SkyTables()
        seen = _column((self.line, 0), (self.plots, 1))
        told = _column((self.images, 0), (self.tables, 1))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        parts = SideBySide(seen, told)
        parts.setStretchFactor(0, 1)
        parts.setStretchFactor(1, 0)
        column.addWidget(parts)

    def show_preview(self, preview: Preview) -> None:
        """Show what the subtraction does."""
        self.plots.show_result(preview.result, preview.marks)
        self.images.show_result(preview.result)
        self.tables.show_result(preview.result)
        self.line.say(_summary(preview))

    def show_problem(self, text: str) -> None:
        """Show nothing but why."""
        for part in (self.plots, self.images, self.tables):
            part.clear()
        self.line.say(text)


def _column(*parts: tuple[QWidget, int]) -> QWidget:
    """Return widgets below each other, each with its share of the room that is left."""
    whole = QWidget()
    column = QVBoxLayout(whole)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(2)
    for widget, share in parts:
        column.addWidget(widget, stretch=share)
    return whole


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
