"""The methods of sky subtraction beside each other: a table, and a figure an IFU."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.report.sky_panels import AFTER, NOISE, draw_marks
from napari_kmos.sky.views import line_marks

if TYPE_CHECKING:
    from astropy.table import Table
    from astropy.units import UnitBase
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from napari_kmos.sky.comparison import MethodScore, SkyComparison

_WIDTH_INCH, _PANEL_INCH, _MARKS_INCH, _MARGIN_INCH = 12.0, 2.2, 0.7, 1.0
#: The scale of all panels holds this part of what the best method leaves, and at least so many sigma of the noise.
_PERCENTILES, _LEAST_SIGMA = (0.5, 99.5), 8.0
_NUMBERS = ("per_spaxel", "mean", "rms_before", "rms_after", "shift_pix", "seconds")
#: Columns of the text, and how their numbers are written.
_FORMATS = {
    "per_spaxel": ".2f", "mean": ".2f", "rms_before": ".3g", "rms_after": ".3g", "shift_pix": "+.3f", "seconds": ".2f",
}  # fmt: skip


def comparison_rows(comparison: SkyComparison) -> list[dict[str, Any]]:
    """Return a row for each method: IFU, target, method, numbers of `MethodScore`, note."""
    cube = comparison.cube
    start = {"ifu": cube.ifu, "target": cube.name}
    return [
        {**start, "method": score.method, **{name: getattr(score, name) for name in _NUMBERS}, "note": score.note}
        for score in comparison.scores
    ]


def comparison_table(rows: Sequence[Mapping[str, Any]], unit: UnitBase | None) -> Table:
    """Return the rows of `comparison_rows` as a table; IFU -1 is not known. ``unit`` is that of the flux."""
    from astropy.table import Table

    table = Table()
    table["ifu"] = np.array([-1 if row["ifu"] is None else row["ifu"] for row in rows], dtype=int)
    for name in ("target", "method"):
        table[name] = np.array([row[name] for row in rows], dtype=str)
    for name in _NUMBERS:
        table[name] = np.array([row[name] for row in rows], dtype=float)
        table[name].info.format = ".6g"
    table["shift_pix"].unit, table["seconds"].unit = "pixel", "s"
    table["rms_before"].unit = table["rms_after"].unit = unit
    table["note"] = np.array([row["note"] for row in rows], dtype=str)
    return table


def comparison_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the rows of `comparison_rows` as lines of text, with the median of several IFUs below."""
    names = ["ifu", "method", *_FORMATS]
    methods = list(dict.fromkeys(row["method"] for row in rows))
    lines = [[_ifu(row["ifu"]), row["method"], *_written(row), row["note"]] for row in rows]
    if len(rows) > len(methods):
        for method in methods:
            same = [row for row in rows if row["method"] == method]
            middle = {name: float(np.nanmedian([row[name] for row in same])) for name in _FORMATS}
            lines.append(["median", method, *_written(middle), ""])
    widths = [max(len(line[k]) for line in [names, *lines]) for k in range(len(names))]
    aligned = [
        "  ".join(text.rjust(width) for text, width in zip(line, widths, strict=False)) for line in [names, *lines]
    ]
    notes = ["", *(f"  {line[-1]}" if line[-1] else "" for line in lines)]
    return "\n".join(text + note for text, note in zip(aligned, notes, strict=True))


def comparison_figure(comparison: SkyComparison) -> Figure:
    """Draw what each method leaves in the mean of the dark spaxels, a panel a method, all at the same scale."""
    from matplotlib.figure import Figure

    scores, cube = comparison.scores, comparison.cube
    height = _MARGIN_INCH + _MARKS_INCH + _PANEL_INCH * len(scores)
    figure = Figure(figsize=(_WIDTH_INCH, height))
    grid = figure.add_gridspec(
        len(scores) + 1, 1, left=0.08, right=0.985, bottom=0.55 / height, top=1 - 0.4 / height, hspace=0.25,
        height_ratios=[_MARKS_INCH, *[_PANEL_INCH] * len(scores)],
    )  # fmt: skip
    marks, *panels = [figure.add_subplot(grid[row, 0]) for row in range(len(scores) + 1)]
    for axes in (marks, *panels):
        axes.set_xlim(cube.wavelength_um[0], cube.wavelength_um[-1])
        axes.tick_params(labelsize="small", labelbottom=axes is panels[-1])
    draw_marks(marks, line_marks(cube))
    limits = _limits(comparison)
    for axes, score in zip(panels, scores, strict=True):
        _draw_score(axes, score, comparison)
        axes.set_ylim(limits)
    panels[-1].set_xlabel("wavelength (µm)")
    text = f"{cube.label}: what is left in the mean of {np.count_nonzero(comparison.dark)} dark spaxels"
    figure.text(0.08, 1 - 0.1 / height, text, va="top")
    return figure


def _draw_score(axes: Axes, score: MethodScore, comparison: SkyComparison) -> None:
    """Draw the residual of one method over the noise, line pixels shaded, and its numbers."""
    wave = comparison.cube.wavelength_um
    axes.fill_between(
        wave, 0, 1, where=comparison.lines, transform=axes.get_xaxis_transform(), color="0.95", linewidth=0
    )
    axes.fill_between(wave, -comparison.error, comparison.error, color=NOISE, linewidth=0)
    axes.plot(wave, score.spectrum, color=AFTER, linewidth=0.6)
    title = (
        f"{score.method}: {score.per_spaxel:.2f} times the noise per spaxel, {score.mean:.2f} in the mean; "
        f"rms {score.rms_before:.3g} to {score.rms_after:.3g}; {score.seconds:.2f} s"
    )
    axes.set_title(f"{title}   ({score.note})" if score.note else title, fontsize="small", loc="left", pad=3)
    unit = comparison.cube.unit
    axes.set_ylabel("residual" if unit is None else f"residual\n({unit})", fontsize="small")


def _limits(comparison: SkyComparison) -> tuple[float, float]:
    """Return the scale of all panels: that of the method that leaves least but one, so that the best are told apart."""
    spans = []
    for score in comparison.scores:
        shown = score.spectrum[comparison.lines & np.isfinite(score.spectrum)]
        spans.append(float(np.max(np.abs(np.percentile(shown, _PERCENTILES)))) if shown.size else 0.0)
    noise = comparison.error[comparison.lines & np.isfinite(comparison.error)]
    least = _LEAST_SIGMA * float(np.median(noise)) if noise.size else 0.0
    span = max(sorted(spans)[min(1, len(spans) - 1)], least) or 1.0
    return -1.1 * span, 1.1 * span


def _written(row: Mapping[str, Any]) -> Iterable[str]:
    """Numbers of a row as text."""
    return [format(row[name], how) if np.isfinite(row[name]) else "-" for name, how in _FORMATS.items()]


def _ifu(number: int | None) -> str:
    return "-" if number is None else str(number)
