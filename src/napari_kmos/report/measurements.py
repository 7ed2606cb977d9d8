"""Tables of what was measured of stars: one row a star, one row a line, and a page for a paper."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u
from astropy.coordinates import Angle
from astropy.table import MaskedColumn, Table

from napari_kmos.io import latex_text, plain_text
from napari_kmos.measure.indices import BR_GAMMA, CO, INDICES, Index
from napari_kmos.spectral.windows import windows_text

if TYPE_CHECKING:
    from napari_kmos.measure.line_fits import LineFit
    from napari_kmos.measure.star import StarMeasurement

_AA_PER_UM = 1e4
_NO_INDEX = Index(name="")
#: Columns of a star's ratios, of its velocity, and of a line: name, field, format, unit.
_SNR = (
    ("snr", "value", ".2f"),
    ("snr_noise", "propagated", ".2f"),
    ("snr_der", "der", ".2f"),
    ("snr_correlation", "correlation", ".2f"),
)
_VELOCITY = (
    ("velocity", "kms"),
    ("velocity_err", "err_kms"),
    ("velocity_zero", "zero_kms"),
    ("velocity_zero_err", "zero_err_kms"),
    ("velocity_correction", "correction_kms"),
    ("velocity_correction_spread", "spread_kms"),
)
_LINE = (
    ("centre_um", "centre_um", ".7f", u.um),
    ("centre_err_um", "centre_err_um", ".7f", u.um),
    ("fwhm_um", "fwhm_um", ".7f", u.um),
    ("fwhm_err_um", "fwhm_err_um", ".7f", u.um),
    ("flux", "flux", ".6g", None),
    ("flux_err", "flux_err", ".3g", None),
    ("continuum", "continuum", ".6g", None),
    ("chi2", "chi2", ".3f", None),
)


def measurements_table(stars: Sequence[StarMeasurement]) -> Table:
    """Return a row a star: where it is, ratios, velocity, indices, lines, class, notes.

    Velocities in km/s, equivalent widths in Angstrom, positive in absorption. A file that is no spectrum has a row with
    its name and the reason among the notes. `lines_table` tells more of the lines.
    """
    table = Table()
    table["id"] = [plain_text(star.id) for star in stars]
    table["file"] = [star.file for star in stars]
    table["ra"] = MaskedColumn([star.ra for star in stars], unit=u.deg, dtype=float)
    table["dec"] = MaskedColumn([star.dec for star in stars], unit=u.deg, dtype=float)
    none = [star.ifu is None for star in stars]
    table["ifu"] = MaskedColumn([star.ifu or 0 for star in stars], mask=none, dtype=int)
    table["target"] = [plain_text(star.target) for star in stars]
    table["class"] = [star.category for star in stars]
    for name, field, form in _SNR:
        table[name] = _numbers([getattr(star.snr, field) if star.snr else math.nan for star in stars], form)
    table["snr_windows_um"] = [windows_text(star.snr.windows) if star.snr else "" for star in stars]
    velocities = [star.velocity if math.isfinite(star.velocity.kms) else None for star in stars]
    for name, field in _VELOCITY:
        values = [getattr(one, field) if one else math.nan for one in velocities]
        table[name] = _numbers(values, ".3f", u.km / u.s)
    table["velocity_frame"] = [one.frame if one else "" for one in velocities]
    table["velocity_method"] = [star.velocity.method for star in stars]
    for name in INDICES:
        found = [star.indices.get(name, _NO_INDEX) for star in stars]
        table[f"{_word(name)}_index"] = _numbers([one.width_aa for one in found], ".3f", u.AA)
        table[f"{_word(name)}_index_err"] = _numbers([one.err_aa for one in found], ".3f", u.AA)
        if name == CO:
            table["co_depth"] = _numbers([one.depth for one in found], ".4f")
            table["co_depth_err"] = _numbers([one.depth_err for one in found], ".4f")
    _add_lines(table, stars)
    table["class_reason"] = [star.category_reason for star in stars]
    table["note"] = [plain_text("; ".join(_notes(star))) for star in stars]
    return table


def lines_table(stars: Sequence[StarMeasurement]) -> Table:
    """Return a row a star and line: what was fitted, with errors, and why where nothing was."""
    rows = [(star, fit) for star in stars for fit in star.lines]
    table = Table()
    table["id"] = np.array([plain_text(star.id) for star, _ in rows], dtype=str)
    table["file"] = np.array([star.file for star, _ in rows], dtype=str)
    table["line"] = np.array([fit.line.name for _, fit in rows], dtype=str)
    table["rest_um"] = _numbers([fit.line.wavelength_um for _, fit in rows], ".6f", u.um)
    table["profile"] = np.array([fit.profile for _, fit in rows], dtype=str)
    for name, field, form, unit in _LINE:
        table[name] = _numbers([getattr(fit, field) for _, fit in rows], form, unit)
    table["width"] = _numbers([_AA_PER_UM * fit.width_um for _, fit in rows], ".4f", u.AA)
    table["width_err"] = _numbers([_AA_PER_UM * fit.width_err_um for _, fit in rows], ".4f", u.AA)
    table["window_um"] = np.array([windows_text([fit.window]) for _, fit in rows], dtype=str)
    table["note"] = np.array([fit.reason or fit.note for _, fit in rows], dtype=str)
    return table


def paper_table(stars: Sequence[StarMeasurement]) -> Table:
    """Return what a paper tells, as LaTeX: id, position, SNR, velocity, CO, Br gamma, class; files without a star not.

    SNR is that of the continuum's scatter.
    """
    shown = [star for star in stars if star.snr is not None]
    table = Table()
    table["ID"] = np.array([latex_text(star.id) for star in shown], dtype=str)
    table["RA"] = [Angle(star.ra, u.deg).to_string(unit=u.hourangle, sep=":", precision=3, pad=True) for star in shown]
    table["Dec"] = [Angle(star.dec, u.deg).to_string(sep=":", precision=2, pad=True, alwayssign=True) for star in shown]
    table["SNR"] = [_plain(star.snr.value if star.snr else math.nan, 1) for star in shown]
    table["$v$ (km\\,s$^{-1}$)"] = [_with_error(star.velocity.kms, star.velocity.err_kms) for star in shown]
    for name, head in ((CO, "EW(CO) (\\AA)"), (BR_GAMMA, "EW(Br$\\gamma$) (\\AA)")):
        found = [star.indices.get(name, _NO_INDEX) for star in shown]
        table[head] = [_with_error(one.width_aa, one.err_aa) for one in found]
    table["Class"] = [star.category for star in shown]
    return table


def _add_lines(table: Table, stars: Sequence[StarMeasurement]) -> None:
    """Add the equivalent width of each line that was asked for."""
    names = list(dict.fromkeys(fit.line.name for star in stars for fit in star.lines))
    for name in names:
        fits = [next((fit for fit in star.lines if fit.line.name == name), None) for star in stars]
        table[f"{_word(name)}_width"] = _numbers([_width(fit, "width_um") for fit in fits], ".3f", u.AA)
        table[f"{_word(name)}_width_err"] = _numbers([_width(fit, "width_err_um") for fit in fits], ".3f", u.AA)


def _width(fit: LineFit | None, field: str) -> float:
    return math.nan if fit is None or fit.reason else _AA_PER_UM * float(getattr(fit, field))


def _notes(star: StarMeasurement) -> list[str]:
    """Return all that is to be said of a star."""
    velocity = star.velocity.reason or star.velocity.note
    lines: dict[str, list[str]] = {}
    for fit in star.lines:
        if fit.reason and not math.isfinite(fit.flux):
            lines.setdefault(fit.reason, []).append(fit.line.name)
    said = [f"{', '.join(names)}: {reason}" for reason, names in lines.items()]
    return [*star.notes, *([f"velocity: {velocity}"] if velocity and star.snr else []), *said]


def _word(name: str) -> str:
    """Return a name as part of that of a column."""
    return re.sub(r"\W+", "_", name).strip("_").lower()


def _numbers(values: Sequence[float], form: str, unit: u.UnitBase | None = None) -> MaskedColumn:
    return MaskedColumn(np.array(values, dtype=float), format=form, unit=unit)


def _plain(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "\\ldots"


def _with_error(value: float, error: float) -> str:
    if not (math.isfinite(value) and math.isfinite(error)):
        return "\\ldots"
    digits = 1 if error >= 0.1 else 2
    return f"${value:.{digits}f} \\pm {error:.{digits}f}$"
