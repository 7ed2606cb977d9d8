"""What the plot measures of its spectra; run in threads."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from napari_kmos.errors import KmosError
from napari_kmos.io import read_line_list
from napari_kmos.measure import (
    LineFit,
    LineParameters,
    MeasureParameters,
    StarMeasurement,
    late_template,
    measure_star,
)
from napari_kmos.measure.line_window import fit_window
from napari_kmos.measure.star import BY_TEMPLATE
from napari_kmos.progress import Progress, silent
from napari_kmos.report.traces import Sourced
from napari_kmos.session import Session
from napari_kmos.spectral.windows import Window
from napari_kmos.spectrum import SpectralLine, StarSpectrum

_AA_PER_UM = 1e4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Question:
    """What is to be measured of each spectrum.

    Parameters
    ----------
    lines : tuple of SpectralLine
        The user's or the packaged ones; those that are marked and lie in a spectrum are fitted.
    snr_um : tuple of (float, float)
        Windows of the SNR; those of the band if empty.
    fit_um : (float, float), optional
        Window of a line that is fitted, too.
    velocity_kms : float
        By which the names of lines in that window are moved.
    parameters : MeasureParameters
        How.
    """

    lines: tuple[SpectralLine, ...]
    snr_um: tuple[Window, ...] = ()
    fit_um: Window | None = None
    velocity_kms: float = 0.0
    parameters: MeasureParameters = dataclasses.field(default_factory=MeasureParameters)


def question_of(session: Session, lines: tuple[SpectralLine, ...], parameters: MeasureParameters) -> Question:
    """Return what a session asks for."""
    how = dataclasses.replace(parameters, profile=session.fit_profile)
    windows = {"snr_um": session.snr_um, "fit_um": session.fit_um, "velocity_kms": session.velocity_kms}
    return Question(lines=lines, parameters=how, **windows)


def measure_spectra(
    spectra: Sequence[Sourced], question: Question, *, progress: Progress = silent
) -> tuple[StarMeasurement, ...]:
    """Measure spectra; the line in the chosen window comes first among the lines of each.

    Raises
    ------
    KmosError
        If there is no spectrum, or as `measure_star` says.
    """
    if not spectra:
        msg = "no spectrum to measure; add files, extract the list, or select a star"
        raise KmosError(msg)
    template = late_template(read_line_list()) if question.parameters.velocity == BY_TEMPLATE else None
    found = []
    for number, one in enumerate(spectra):
        progress(number, len(spectra), f"measuring {one.spectrum.label}")
        chosen = _line_in_window(one.spectrum, question)
        names = {fit.line.name for fit in chosen}
        start, end = one.spectrum.wavelength_um[[0, -1]]
        star = measure_star(
            one.spectrum,
            template=template,
            lines=[
                line
                for line in question.lines
                if _is_fitted(line, names, question) and start < line.wavelength_um < end
            ],
            windows=question.snr_um or None,
            parameters=question.parameters,
        )
        found.append(dataclasses.replace(star, file=one.source, lines=(*chosen, *star.lines)))
    return tuple(found)


def fit_text(fit: LineFit) -> str:
    """Return in a line what a fit tells."""
    if fit.reason:
        return f"{fit.line.name}: {fit.reason}"
    aa = _AA_PER_UM
    width = f"EW {aa * fit.width_um:.2f} ± {aa * fit.width_err_um:.2f} Å"
    shape = f"FWHM {aa * fit.fwhm_um:.1f} ± {aa * fit.fwhm_err_um:.1f} Å"
    centre = f"at {fit.centre_um:.5f} ± {fit.centre_err_um:.5f} µm"
    quality = "" if fit.scaled else f", χ² {fit.chi2:.2f}"
    return f"{fit.line.name}: {width}, {shape}, {centre}{quality}"


def _line_in_window(spectrum: StarSpectrum, question: Question) -> tuple[LineFit, ...]:
    """Fit the line in the chosen window, if there is one."""
    if question.fit_um is None:
        return ()
    how = LineParameters(profile=question.parameters.profile)
    known = {"lines": question.lines, "velocity_kms": question.velocity_kms, "parameters": how}
    return (fit_window(spectrum, question.fit_um, **known),)


def _is_fitted(line: SpectralLine, names: set[str], question: Question) -> bool:
    """Tell whether a line is fitted at its own place: it is marked or gives the velocity, and was not fitted yet."""
    wanted = (line.marked and line.name not in names) or line.name == question.parameters.velocity
    return wanted and line.kind != "head"
