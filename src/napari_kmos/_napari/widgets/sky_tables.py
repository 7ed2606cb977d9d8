"""Numbers and images of a sky subtraction: of the IFU that is looked at, and bands of all IFUs of the last run."""

from __future__ import annotations

import math

from qtpy.QtWidgets import QTabWidget

from napari_kmos._napari.widgets.sky_images import SkyPictures
from napari_kmos._napari.widgets.tables import ResultTable
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.sky import BandFit, SkyResult
from napari_kmos.sky.result import LevelFactor

_BANDS = {
    "band": "Vibrational band of OH, or what else was fitted",
    "factor": "The sky's lines were multiplied by this",
    "±": "Its error, 1 sigma",
    "left / noise": "What is left on the lines of the mean spectrum over its expected error; 1 is noise alone",
    "before": "Residual on the lines with the sky as it is",
    "after": "Residual on the lines with the fitted sky",
    "pixels": "Line pixels",
}
_LEVELS = {
    "level": "Upper level of the lines: vibration, rotation N, spin component F; O2 at 1.27 micron",
    "factor": "The sky's lines of this level were multiplied by this",
    "±": "Its error, 1 sigma",
    "light": "Light of the level in the sky",
}
_WHOLE = "all"
_RUN = {
    "IFU": "IFU",
    "band": f"{_BANDS['band']}; {_WHOLE} is the IFU in one number",
    "factor": _BANDS["factor"],
    "left / noise": _BANDS["left / noise"],
    "before": _BANDS["before"],
    "after": _BANDS["after"],
    "product": "Product",
}
_LEAST_HEIGHT = 84


class SkyTables(QTabWidget):
    """Tables of bands, levels, and of the last run; images before and after."""

    def __init__(self) -> None:
        super().__init__()
        self.bands, self.levels, self.run = (ResultTable(list(of), list(of.values())) for of in (_BANDS, _LEVELS, _RUN))
        for table in (self.bands, self.levels, self.run):
            table.setMinimumHeight(_LEAST_HEIGHT)
        self.images = SkyPictures()
        pages = {"Bands": self.bands, "Levels": self.levels, "Images": self.images, "Last run": self.run}
        for title, page in pages.items():
            self.addTab(page, title)

    def show_result(self, result: SkyResult) -> None:
        """Show a result, the brightest levels first."""
        self.images.show_result(result)
        self.bands.show_rows(
            [(one.name, one.factor, one.error, one.residual_over_noise, *_residuals(one)) for one in result.bands]
        )
        levels = sorted(result.levels, key=lambda level: -level.light)
        self.levels.show_rows([(_name(level), level.factor, level.error, level.light) for level in levels])

    def clear(self) -> None:
        """Show no result; the last run stays."""
        self.images.clear()
        self.bands.show_rows([])
        self.levels.show_rows([])

    def show_run(self, outcome: Outcome | None) -> None:
        """Show the bands of all IFUs and products of a run."""
        self.run.show_rows([] if outcome is None else _rows(outcome))


def _residuals(band: BandFit) -> tuple[float, float, int]:
    return band.rms_before, band.rms_after, band.n_line_pixels


def _name(level: LevelFactor) -> str:
    """Return what to call a level."""
    if level.v < 0:
        return f"no known line {-level.v}"
    return f"O2 N={level.n}" if level.v == 0 else f"OH v={level.v} N={level.n} F{level.f}"


def _rows(outcome: Outcome) -> list[tuple[str | float | int, ...]]:
    """Rows of the table: an IFU of a product each, and below it its bands; a recipe of ESO's tells nothing of them."""
    names = ("name", "factor", "residual_over_noise", "rms_before", "rms_after")
    return [
        (ifu, *(part[name] for name in names), product)
        for product, facts in outcome.measured.items()
        for ifu, found in facts.get("ifus", {}).items()
        for part in ({**found, "name": _WHOLE, "factor": math.nan}, *found["bands"])
    ]
