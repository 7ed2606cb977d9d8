"""The panels of the figure of a sky subtraction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.sky.views import level_places

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from napari_kmos.sky.result import BandFit, LevelFactor, SkyResult
    from napari_kmos.sky.views import LineMarks

    Floats = NDArray[np.float64]

OBJECT, MODEL, BEFORE, AFTER, NOISE, SHADE = "0.15", "tab:blue", "tab:orange", "tab:blue", "0.8", "0.95"
#: Colours of the upper vibrational levels, v = 0 (which is O2) to 9, in all panels.
VIBRATION_COLOURS = (
    "tab:red", "0.5", "tab:brown", "tab:pink", "tab:olive", "tab:cyan", "tab:purple", "tab:green", "tab:orange",
    "tab:blue",
)  # fmt: skip
#: Residuals outside these percentiles are cut off in the plot: of what is left, and of what there was.
_AFTER_PERCENTILES, _BEFORE_PERCENTILES = (0.1, 99.9), (3.0, 97.0)
#: Of the expected noise, at least so many sigma are shown.
_LEAST_SIGMA = 5.0
#: Bands narrower than this part of the plot have no room for their name.
_NAMED_WIDTH = 0.035
#: Levels whose factor has a larger error than this are told by what is expected of levels, not by their lines.
_TOLD_ERROR = 0.15
#: Residual over noise up to which a bar is green, then orange, then red.
_GOOD, _DOUBTFUL = 1.5, 3.0
#: A misfit is told where it is so many sigma and makes this part of the squared residual.
_MISFIT_SIGMA, _MISFIT_SHARE = 5.0, 0.1
#: The stretch of images: low, so that the sky beside stars is seen.
_STRETCH_PERCENTILES = (2.0, 90.0)


def shade_bands(axes: Axes, bands: Sequence[BandFit]) -> None:
    """Shade every other band."""
    for band in bands[::2]:
        axes.axvspan(band.start_um, band.end_um, color=SHADE, linewidth=0, zorder=0)


def draw_marks(axes: Axes, marks: Sequence[LineMarks]) -> None:
    """Mark the bright lines of each vibrational band, a row an upper level; the name stands where there is room."""
    rows = sorted({mark.v for mark in marks})
    left, right = axes.get_xlim()
    for mark in marks:
        row, colour = rows.index(mark.v), VIBRATION_COLOURS[mark.v]
        axes.vlines(mark.wavelength_um, row + 0.12, row + 0.88, color=colour, linewidth=0.7)
        before = mark.wavelength_um[0] - left > _NAMED_WIDTH * (right - left)
        axes.annotate(
            mark.name, (mark.wavelength_um[0 if before else -1], row + 0.5), xytext=(-3 if before else 3, 0),
            textcoords="offset points", color=colour, fontsize="x-small", ha="right" if before else "left", va="center",
        )  # fmt: skip
    axes.set_ylim(0, max(len(rows), 1))
    axes.set_yticks([])
    axes.set_ylabel("bright\nlines")


def draw_spectra(axes: Axes, result: SkyResult) -> None:
    """Draw the mean spectra of the sky spaxels."""
    axes.plot(result.wavelength_um, result.object_spectrum, color=OBJECT, linewidth=0.7, label="object")
    axes.plot(result.wavelength_um, result.model_spectrum, color=MODEL, linewidth=0.7, label="sky model", alpha=0.8)
    axes.set_ylabel(f"mean flux{_unit(result)}")
    title = f"{np.count_nonzero(result.sky_mask)} sky spaxels"
    axes.legend(loc="upper left", fontsize="x-small", framealpha=0.7, title=title, title_fontsize="x-small")


def draw_residuals(axes: Axes, result: SkyResult) -> None:
    """Draw what is left on the lines with the sky as it came and with the model, and the noise that is expected."""
    wave, error = result.wavelength_um, result.error_spectrum
    before, after = result.left_spectrum_before, result.left_spectrum
    axes.plot(wave, before, color=BEFORE, linewidth=0.5, alpha=0.7, label="with the sky as it is")
    axes.fill_between(wave, -error, error, color=NOISE, linewidth=0, label="± 1 sigma expected")
    axes.plot(wave, after, color=AFTER, linewidth=0.6, label="with the model")
    ranges = [
        _range_of([before], _BEFORE_PERCENTILES),
        _range_of([after], _AFTER_PERCENTILES),
        _range_of([-_LEAST_SIGMA * error, _LEAST_SIGMA * error], (2, 98)),
    ]
    low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
    axes.set_ylim(low - 0.05 * (high - low), high + 0.2 * (high - low))
    axes.set_ylabel(f"residual without\ncontinuum, stars{_unit(result)}")
    axes.legend(loc="upper right", fontsize="x-small", ncols=3, framealpha=0.7)


def draw_factors(axes: Axes, result: SkyResult) -> None:
    """Draw the factor of the sky lines on line pixels, and of each band with its error; in brackets without a fit."""
    shown = np.where(result.line_mask, result.scale, np.nan)
    axes.plot(result.wavelength_um, shown, ".", markersize=1.5, color="0.55")
    axes.axhline(1, color="0.5", linewidth=0.5, linestyle=":")
    start, end, factor, error = np.transpose([[b.start_um, b.end_um, b.factor, b.error] for b in result.bands])
    error = np.nan_to_num(error)
    axes.errorbar(
        0.5 * (start + end), factor, yerr=error, xerr=0.5 * (end - start), fmt="none", ecolor=MODEL, elinewidth=1.3,
        capsize=2,
    )  # fmt: skip
    ranges = [_range_of([shown], (1, 99)), _range_of([factor - error, factor + error], (0, 100))]
    low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
    axes.set_ylim(low - 0.05 * (high - low) - 0.01, high + 0.7 * (high - low) + 0.01)
    for band in _named(result):
        text = f"{band.name}\n{band.factor:.3f}" + (f"\n±{band.error:.3f}" if band.error > 0 else "")
        _annotate_band(axes, band, text if band.fitted or result.method == "plain" else f"({text})")
    axes.set_ylabel("factor of\nthe lines")


def draw_over_noise(axes: Axes, result: SkyResult) -> None:
    """Draw the residual over its expected noise of each band as bars with their numbers, and how far lines lie off."""
    known = [band for band in result.bands if np.isfinite(band.residual_over_noise)]
    values = np.array([band.residual_over_noise for band in known])
    starts = np.array([band.start_um for band in known])
    widths = np.array([band.end_um - band.start_um for band in known])
    colours = ["tab:green" if v <= _GOOD else "tab:orange" if v <= _DOUBTFUL else "tab:red" for v in values]
    axes.bar(starts + 0.06 * widths, values, 0.88 * widths, align="edge", color=colours, alpha=0.5, linewidth=0)
    axes.axhline(1, color="0.3", linewidth=0.8)
    axes.set_ylim(0, 1.7 * max(2.0, values.max(initial=0.0)))
    for band in _named(result):
        value = band.residual_over_noise
        off = abs(band.misfit_pix) > _MISFIT_SIGMA * band.misfit_error_pix
        moved = f"\nlines {band.misfit_pix:+.2f} pix" if off and band.misfit_share > _MISFIT_SHARE else ""
        _annotate_band(axes, band, (f"{value:.2f}" if np.isfinite(value) else "-") + moved)
    axes.set_ylabel("residual\nover noise")
    axes.set_xlabel("wavelength (µm)")


def draw_levels(axes: Axes, levels: Sequence[LevelFactor]) -> None:
    """Draw the factor of each upper level with its error over v, beside each other by N; O2 at 0.

    Levels about which their own lines say little are grey: they follow what is expected of levels.
    """
    known = [level for level in levels if level.v >= 0]
    place = level_places(known)
    factor, error = (np.array([getattr(level, name) for level in known]) for name in ("factor", "error"))
    told = error < _TOLD_ERROR * np.maximum(factor, 1e-3)
    v = np.array([level.v for level in known], dtype=int)
    axes.errorbar(
        place[~told], factor[~told], error[~told], fmt=".", markersize=3, color="0.85", elinewidth=0.6, zorder=1
    )
    for number in np.unique(v[told]):
        chosen = told & (v == number)
        axes.errorbar(
            place[chosen], factor[chosen], error[chosen], fmt=".", markersize=5, color=VIBRATION_COLOURS[number],
            elinewidth=0.8,
        )  # fmt: skip
    axes.axhline(1, color="0.5", linewidth=0.5, linestyle=":")
    if told.any():
        low, high = _range_of([(factor - error)[told], (factor + error)[told]], (0, 100))
        axes.set_ylim(low - 0.1 * (high - low) - 0.02, high + 0.1 * (high - low) + 0.02)
    numbers = np.unique(v[told] if told.any() else v)
    axes.set_xlim(min(numbers, default=0) - 0.5, max(numbers, default=0) + 0.5)
    axes.set_xticks(numbers, ["O2" if number == 0 else str(number) for number in numbers])
    axes.set_xlabel("upper vibrational level v; N grows to the right")
    axes.set_ylabel("factor of the level")


def draw_images(axes: Sequence[Axes], images: Sequence[Floats], titles: Sequence[str]) -> None:
    """Draw images with the same stretch, and the stretch on the last."""
    finite = np.concatenate([image[np.isfinite(image)] for image in images])
    low, high = np.percentile(finite, _STRETCH_PERCENTILES) if finite.size else (0.0, 1.0)
    for axis, image, title in zip(axes, images, titles, strict=True):
        shown = axis.imshow(image, origin="lower", vmin=low, vmax=max(high, low + 1e-30), cmap="viridis")
        axis.set_title(title, fontsize="small")
        axis.set_xticks([])
        axis.set_yticks([])
    bar = axes[-1].inset_axes((1.04, 0.0, 0.06, 1.0))
    axes[-1].figure.colorbar(shown, cax=bar)
    bar.tick_params(labelsize="x-small")


def _named(result: SkyResult) -> list[BandFit]:
    """Bands with room for their name."""
    width = _NAMED_WIDTH * (result.wavelength_um[-1] - result.wavelength_um[0])
    return [band for band in result.bands if band.end_um - band.start_um >= width]


def _annotate_band(axes: Axes, band: BandFit, text: str) -> None:
    """Write at the top of a band."""
    place = (0.5 * (band.start_um + band.end_um), 0.96)
    axes.annotate(text, place, xycoords=("data", "axes fraction"), ha="center", va="top", fontsize="x-small")


def _range_of(values: Sequence[Floats], percentiles: tuple[float, float]) -> tuple[float, float]:
    """Percentiles of all finite values, a little apart if they are all the same; 0 to 1 if there is none."""
    joined = np.concatenate(values)
    finite = joined[np.isfinite(joined)]
    low, high = np.percentile(finite, percentiles) if finite.size else (0.0, 1.0)
    return float(low), float(high if high > low else low + 0.05 * abs(low) + 1e-30)


def _unit(result: SkyResult) -> str:
    """Return the unit in brackets, if known."""
    unit: Any = result.cube.unit
    return "" if unit is None else f"\n({unit})"
