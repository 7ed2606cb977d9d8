"""Spectra side by side: the table of a cube's stars, the comparison of many, the plot of all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.table import MaskedColumn, Table

from napari_kmos.io import extra_column, plain_text, spaxels_text
from napari_kmos.measure.continuum import fit_continuum
from napari_kmos.report.line_marks import mark_lines
from napari_kmos.spectral.lines import lines_between, vacuum_um

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from napari_kmos.aperture import Aperture
    from napari_kmos.measure import PairComparison
    from napari_kmos.spectral.snr import Snr
    from napari_kmos.spectrum import SpectralLine, StarSpectrum

_WIDTH_INCH, _ROW_INCH, _MARGIN_INCH, _MOST_INCH = 11.0, 0.75, 1.6, 190.0
_TRACES, _NOISE, _WINDOW = ("0.1", "#2a4d7c"), "0.85", "tab:green"
_DPI = 150
#: Distance of two spectra in units of how much they vary, and its bounds in units of the continuum.
_SPACING, _LEAST_SPACING, _MOST_SPACING = 8.0, 0.25, 3.0
#: A spectrum is cut off where it would run into the second next.
_REACH = 1.2
#: A continuum that falls below this share of its median is not divided by.
_LEAST_CONTINUUM = 0.1


#: Columns that tell what an extraction found: a table of spectra that serves as a list of apertures is freed from them.
MEASURED = frozenset(
    {
        *("file", "ifu", "target", "note", "area_pix", "n_sky", "noise_estimated"),
        *("snr", "snr_noise", "snr_before", "snr_noise_before", "snr_ratio"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """One star in the table of a cube's spectra; without a spectrum the note says why.

    ``before`` are its SNR and the one by the errors in an extraction that this one is compared with, NaN where there is
    none; None is no comparison.
    """

    aperture: Aperture
    file: str = ""
    spectrum: StarSpectrum | None = None
    ifu: int | None = None
    target: str = ""
    note: str = ""
    before: tuple[float, float] | None = None

    @property
    def snr_ratio(self) -> float:
        """Ratio of the SNR to that before."""
        if self.spectrum is None or self.before is None or not self.before[0]:
            return float("nan")
        return self.spectrum.snr / self.before[0]


def spectra_table(rows: Iterable[TableRow]) -> Table:
    """Return the table of a cube's spectra: id, file, position, IFU, SNR, note, and the users' own columns.

    A column of theirs that has the name of one of ours gets ``_given`` behind it.
    """
    entries = tuple(rows)
    table = Table()
    table["id"] = [plain_text(row.aperture.id) for row in entries]
    table["file"] = [row.file for row in entries]
    table["ra"] = [row.aperture.ra for row in entries] * u.deg
    table["dec"] = [row.aperture.dec for row in entries] * u.deg
    table["ifu"] = _whole_numbers([row.ifu for row in entries])
    table["snr"] = _numbers(entries, "snr", ".2f")
    table["note"] = [plain_text(row.note) for row in entries]
    table["snr_noise"] = _numbers(entries, "snr_noise", ".2f")
    table["target"] = [plain_text(row.target) for row in entries]
    table["radius_arcsec"] = [row.aperture.radius_arcsec for row in entries] * u.arcsec
    table["area_pix"] = _numbers(entries, "area_pix", ".4f")
    table["n_sky"] = _whole_numbers([row.spectrum.n_sky if row.spectrum else None for row in entries])
    table["noise_estimated"] = [bool(row.spectrum and row.spectrum.noise_estimated) for row in entries]
    if any(row.aperture.sky_side for row in entries):
        table["sky_side"] = [row.aperture.sky_side for row in entries]
    if any(row.aperture.excluded_spaxels for row in entries):
        table["excluded_spaxels"] = [spaxels_text(row.aperture.excluded_spaxels) for row in entries]
    if any(row.before is not None for row in entries):
        before = np.array([row.before or (np.nan, np.nan) for row in entries])
        table["snr_before"], table["snr_noise_before"] = (_column(values, ".2f") for values in before.T)
        table["snr_ratio"] = _column([row.snr_ratio for row in entries], ".3f")
    for name in dict.fromkeys(name for row in entries for name in row.aperture.extra):
        own = f"{name}_given" if name in table.colnames else name
        table[own] = extra_column([row.aperture.extra.get(name) for row in entries])
    return table


def comparison_table(spectra: Sequence[StarSpectrum], files: Sequence[str], ratios: Sequence[Snr]) -> Table:
    """Return a row a spectrum: id, file, position, IFU, SNR in three ways in the chosen windows, median flux."""
    table = Table()
    table["id"] = [plain_text(spectrum.aperture.id) for spectrum in spectra]
    table["file"] = list(files)
    table["ra"] = [spectrum.aperture.ra for spectrum in spectra] * u.deg
    table["dec"] = [spectrum.aperture.dec for spectrum in spectra] * u.deg
    table["ifu"] = _whole_numbers([spectrum.ifu for spectrum in spectra])
    table["target"] = [plain_text(spectrum.target) for spectrum in spectra]
    table["snr"] = _column([ratio.value for ratio in ratios], ".2f")
    table["snr_noise"] = _column([ratio.propagated for ratio in ratios], ".2f")
    table["snr_der"] = _column([ratio.der for ratio in ratios], ".2f")
    table["snr_correlation"] = _column([ratio.correlation for ratio in ratios], ".2f")
    windows = [",".join(f"{start:.6g}-{end:.6g}" for start, end in ratio.windows) for ratio in ratios]
    table["snr_windows_um"] = windows
    table["n_points"] = np.array([ratio.n_points for ratio in ratios], dtype=int)
    table["flux_median"] = _column([_median(spectrum.flux) for spectrum in spectra], ".6g")
    table["unit"] = ["" if spectrum.unit is None else spectrum.unit.to_string() for spectrum in spectra]
    table["note"] = [plain_text(spectrum.note) for spectrum in spectra]
    return table


def pairs_table(pairs: Sequence[tuple[tuple[str, str], StarSpectrum, PairComparison]]) -> Table:
    """Return a row for two spectra of a star: files, ratio of fluxes, chi squared, distances on the sky and in km/s."""
    table = Table()
    table["id"] = np.array([plain_text(first.aperture.id) for _, first, _ in pairs], dtype=str)
    for side, name in enumerate(("file", "other_file")):
        table[name] = np.array([files[side] for files, _, _ in pairs], dtype=str)
    forms = {"ratio": ".4f", "ratio_err": ".4f", "chi2": ".3f", "separation_arcsec": ".3f", "shift_kms": ".2f"}
    for name, form in forms.items():
        table[name] = _column([getattr(found, name) for _, _, found in pairs], form)
    table["n_points"] = np.array([found.n_points for _, _, found in pairs], dtype=int)
    return table


def compare_figure(spectra: Sequence[StarSpectrum], ratios: Sequence[Snr], lines: Sequence[SpectralLine]) -> Figure:
    """Draw normalised spectra above each other with their ids, SNR, SNR windows and marked lines.

    Parameters
    ----------
    spectra : sequence of StarSpectrum
        At least one; drawn from the top down.
    ratios : sequence of Snr
        Of each spectrum.
    lines : sequence of SpectralLine
        Those marked and within the range are drawn: lines in blue, heads of bands in red.

    Returns
    -------
    matplotlib.figure.Figure
        Without a window. Each spectrum is divided by a polynomial through its continuum.
    """
    from matplotlib.figure import Figure

    height = min(_MARGIN_INCH + _ROW_INCH * max(len(spectra), 3), _MOST_INCH)
    figure = Figure(figsize=(_WIDTH_INCH, height), layout="constrained", dpi=_DPI)
    axes = figure.subplots()
    start, end = _range(spectra)
    axes.set_xlim(start - 0.11 * (end - start), end)
    normalised = [_normalised(spectrum) for spectrum in spectra]
    spacing = _spacing([flux for flux, _ in normalised])
    for place, (spectrum, ratio) in enumerate(zip(spectra, ratios, strict=True)):
        level = 1 - place * spacing
        _draw_spectrum(axes, spectrum, normalised[place], level, spacing)
        axes.lines[-1].set_color(_TRACES[place % len(_TRACES)])
        _label_spectrum(axes, spectrum, ratio, (start - 0.105 * (end - start), level))
    axes.margins(y=0.02)
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, level - 0.5 * spacing), max(high, 1 + 0.5 * spacing))  # the labels need a row each
    _mark_windows(axes, ratios)
    mark_lines(axes, lines_between(lines, start * u.um, end * u.um, marked=True))
    axes.set_xlabel("wavelength in vacuum (µm)")
    axes.set_ylabel("flux / continuum, shifted")
    axes.set_yticks([])
    return figure


def _normalised(spectrum: StarSpectrum) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Flux and noise over the continuum; of a star lost in the noise, flux about the continuum in units of 3 sigma."""
    continuum, _ = fit_continuum(spectrum.wavelength_um, spectrum.flux)
    residual = spectrum.flux - continuum
    sigma = 1.4826 * _median(np.abs(residual))
    level = _median(continuum[~spectrum.mask])
    if level > 0.5 * sigma and np.all(continuum[~spectrum.mask] > _LEAST_CONTINUUM * level):
        return spectrum.flux / continuum, spectrum.noise / continuum
    scale = 3 * sigma if sigma > 0 else 1.0
    return 1 + residual / scale, spectrum.noise / scale


def _spacing(fluxes: Sequence[NDArray[np.float64]]) -> float:
    """Distance between spectra: several times the scatter of a typical one, lines left out."""
    scatters = [_median(np.abs(flux - _median(flux))) for flux in fluxes]
    typical = _median(np.array(scatters))
    wanted = _SPACING * 1.4826 * typical if np.isfinite(typical) else 1.0
    return float(np.clip(wanted, _LEAST_SPACING, _MOST_SPACING))


def _draw_spectrum(
    axes: Axes,
    spectrum: StarSpectrum,
    normalised: tuple[NDArray[np.float64], NDArray[np.float64]],
    level: float,
    spacing: float,
) -> None:
    """Draw one spectrum at its level, its noise as a band behind it, cut off where it runs into others."""
    flux, noise = normalised
    shown = np.clip(flux - 1, -_REACH * spacing, _REACH * spacing) + level
    wave = vacuum_um(spectrum.wavelength, spectrum.medium)
    width = np.where(spectrum.mask, np.nan, np.clip(noise, 0, 0.5 * spacing))
    axes.fill_between(wave, level - width, level + width, color=_NOISE, linewidth=0, zorder=1, rasterized=True)
    axes.plot(wave, shown, linewidth=0.6, zorder=3)


def _label_spectrum(axes: Axes, spectrum: StarSpectrum, ratio: Snr, place: tuple[float, float]) -> None:
    """Write id, SNR and IFU to the left of a spectrum."""
    where = "" if spectrum.ifu is None else f"IFU {spectrum.ifu}"
    below = ", ".join(part for part in (where, plain_text(spectrum.target)) if part)
    snr = f"SNR {ratio.value:.1f}" if np.isfinite(ratio.value) else "SNR unknown"
    text = f"{_shortened(spectrum.aperture.id)}\n{snr}\n{_shortened(below)}"
    axes.text(*place, text, fontsize="x-small", va="center", ha="left", parse_math=False)


def _mark_windows(axes: Axes, ratios: Sequence[Snr]) -> None:
    """Shade the windows in which the SNR was measured."""
    for start, end in dict.fromkeys(window for ratio in ratios for window in ratio.windows):
        axes.axvspan(start, end, color=_WINDOW, alpha=0.08, linewidth=0, zorder=0)


def _range(spectra: Sequence[StarSpectrum]) -> tuple[float, float]:
    """First and last wavelength of all spectra, in micron and vacuum."""
    ends = np.array([vacuum_um(spectrum.wavelength[[0, -1]], spectrum.medium) for spectrum in spectra])
    return float(ends[:, 0].min()), float(ends[:, 1].max())


def _shortened(text: str, longest: int = 18) -> str:
    """Text that fits beside a spectrum."""
    plain = plain_text(text)
    return plain if len(plain) <= longest else f"{plain[: longest - 3]}..."


def _median(values: NDArray[Any]) -> float:
    """Median of the finite values; NaN if there is none."""
    finite = np.asarray(values, dtype=float)
    finite = finite[np.isfinite(finite)]
    return float(np.median(finite)) if finite.size else float("nan")


def _numbers(rows: Sequence[TableRow], name: str, form: str) -> MaskedColumn:
    """Column of a fact of the spectra; NaN where there is none."""
    return _column([getattr(row.spectrum, name) if row.spectrum else float("nan") for row in rows], form)


def _column(values: Sequence[float], form: str) -> MaskedColumn:
    """Column of numbers with few digits."""
    return MaskedColumn(np.array(values, dtype=float), format=form)


def _whole_numbers(values: Sequence[int | None]) -> MaskedColumn:
    """Column of whole numbers; None is masked."""
    return MaskedColumn(
        [0 if value is None else value for value in values], mask=[value is None for value in values], dtype=int
    )
