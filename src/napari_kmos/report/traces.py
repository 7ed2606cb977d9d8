"""Spectra as they are looked at: normalised, smoothed, masked, stacked, and compared; for plots and figures alike."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.errors import KmosError
from napari_kmos.measure import ContinuumParameters, normalise, smooth_spectrum
from napari_kmos.report.stacking import stacked_levels
from napari_kmos.spectral.lines import vacuum_um
from napari_kmos.spectral.sky_ranges import airglow_ranges
from napari_kmos.spectral.windows import in_windows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.measure import LineFit
    from napari_kmos.spectral.windows import Window
    from napari_kmos.spectrum import StarSpectrum

    Floats = NDArray[np.float64]

OVERLAY, STACK = "overlay", "stack"
#: So many spectra are kept as they were made ready.
_KEPT = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How spectra are looked at.

    Parameters
    ----------
    arrangement : str
        ``"overlay"``, or ``"stack"``: each above the one before.
    spacing : float
        Of a stack: by 1 spectra touch, by 2 there is as much room between them as they take.
    normalised : bool
        Divided by the continuum.
    smooth_fwhm_pix : float
        Smoothed by a Gaussian of this width in planes, planes weighted by the inverse of their variance; 0 does not.
    without_airglow : bool
        Gaps where the sky has bright lines.
    compared : bool
        Below, the difference of spectra of the same star, of two epochs or reductions.
    errors : bool
        Error bands of the selected spectra, or of the first.
    marks : bool
        Marks of lines with their names.
    telluric, airglow : bool
        Shades where the atmosphere absorbs, and where it has bright lines.

    Raises
    ------
    KmosError
        If a value makes no sense.
    """

    arrangement: str = field(default=OVERLAY, metadata={"choices": (OVERLAY, STACK)})
    spacing: float = 1.0
    normalised: bool = False
    smooth_fwhm_pix: float = 0.0
    without_airglow: bool = False
    compared: bool = False
    errors: bool = True
    marks: bool = True
    telluric: bool = False
    airglow: bool = False

    def __post_init__(self) -> None:
        if self.arrangement not in (OVERLAY, STACK) or self.spacing < 0 or self.smooth_fwhm_pix < 0:
            msg = (
                f"arrangement {self.arrangement!r}, spacing {self.spacing:g}, smooth_fwhm_pix "
                f"{self.smooth_fwhm_pix:g}: expected {OVERLAY} or {STACK}, and numbers that are not negative"
            )
            raise KmosError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuum:
    """How the continuum of a star is found: in which windows (all of the spectrum if there is none), and how."""

    windows: tuple[Window, ...] = ()
    parameters: ContinuumParameters = field(default_factory=ContinuumParameters)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Sourced:
    """A spectrum, and where it comes from: the name of a file, or what it was extracted of."""

    spectrum: StarSpectrum
    source: str = ""

    @property
    def id(self) -> str:
        """Identity of the star."""
        return self.spectrum.aperture.id


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Trace:
    """A spectrum as it is drawn.

    Parameters
    ----------
    id, name, source : str
        Of the star; of the trace, which differs from those of others; of where it comes from.
    wavelength_um : ndarray, shape (n,)
        In vacuum.
    flux, noise : ndarray, shape (n,)
        ``level`` added to the flux. NaN is a gap.
    continuum : ndarray, shape (n,)
        What flux and noise were divided by; 1 where they were not.
    level : float
        What stacking added.
    place : int
        Of its colour: that of the spectrum among all; a difference has that of its first.
    """

    id: str
    name: str
    source: str
    wavelength_um: Floats
    flux: Floats
    noise: Floats
    continuum: Floats
    level: float = 0.0
    place: int = 0


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Traces:
    """All that is drawn.

    Parameters
    ----------
    spectra, differences : tuple of Trace
        Above and below.
    notes : tuple of str
        What could not be drawn, and why.
    unit : str
        Of the flux; empty if it is not known or differs.
    label : str
        Of the vertical axis.
    """

    spectra: tuple[Trace, ...] = ()
    differences: tuple[Trace, ...] = ()
    notes: tuple[str, ...] = ()
    unit: str = ""
    label: str = "flux"


_DEFAULT_LOOK, _DEFAULT_CONTINUUM = Look(), Continuum()
_NOTHING: Mapping[str, Continuum] = MappingProxyType({})


def prepare_traces(
    spectra: Sequence[Sourced], *, look: Look = _DEFAULT_LOOK, continua: Mapping[str, Continuum] = _NOTHING
) -> Traces:
    """Make spectra ready to be drawn.

    Parameters
    ----------
    spectra : sequence of Sourced
        Of one star there may be several.
    look : Look
        How they are looked at.
    continua : mapping of str to Continuum
        By the id of the star, how its continuum is found; of others by the defaults.

    Returns
    -------
    Traces
        In the order given. A spectrum without a continuum is left out and noted, if it was to be normalised.
    """
    made, notes = [], []
    for place, one in enumerate(spectra):
        try:
            trace = _trace(one.spectrum, one.source, look, continua.get(one.id, _DEFAULT_CONTINUUM))
            made.append(dataclasses.replace(trace, place=place))
        except KmosError as err:
            notes.append(str(err))
    named = [dataclasses.replace(trace, name=name) for trace, name in zip(made, _names(made), strict=True)]
    units = {one.spectrum.unit for one in spectra if not look.normalised}
    unit = units.pop() if len(units) == 1 else None
    return Traces(
        spectra=_stacked(named, look.spacing) if look.arrangement == STACK else tuple(named),
        differences=_differences(named) if look.compared else (),
        notes=tuple(dict.fromkeys(notes)),
        unit="" if unit is None else unit.to_string("unicode"),
        label="flux / continuum" if look.normalised else "flux",
    )


def difference(first: Trace, second: Trace) -> Trace:
    """Return the first less the second, on the wavelengths of the first; NaN beyond those of the second.

    Errors are those of independent spectra, where both have them; the second is interpolated linearly.
    """
    wave = first.wavelength_um
    flux, variance = (
        np.interp(wave, second.wavelength_um, values, left=np.nan, right=np.nan)
        for values in (second.flux - second.level, second.noise**2)
    )
    return dataclasses.replace(
        first,
        name=f"{first.name} - {_alone(second, first)}",
        flux=first.flux - first.level - flux,
        noise=np.sqrt(first.noise**2 + variance),
        level=0.0,
    )


def _alone(second: Trace, first: Trace) -> str:
    """Return the name of a trace without what it shares with another."""
    label, comma, where = second.name.rpartition(", ")
    return where if comma and first.name.startswith(label + comma) else second.source or second.name


def fit_trace(trace: Trace, fit: LineFit) -> Trace:
    """Return a fitted line as it lies on a trace of its spectrum; no points without a fit."""
    inside = in_windows(trace.wavelength_um, [fit.window])
    wave = trace.wavelength_um[inside]
    flux = fit.evaluate(wave) / trace.continuum[inside] + trace.level
    empty = np.full(wave.shape, np.nan)
    facts: dict[str, Any] = {"wavelength_um": wave, "flux": flux, "noise": empty, "continuum": trace.continuum[inside]}
    return dataclasses.replace(trace, name=fit.line.name, **facts)


@functools.lru_cache(maxsize=_KEPT)
def _trace(spectrum: StarSpectrum, source: str, look: Look, continuum: Continuum) -> Trace:
    """Normalise, mask and smooth one spectrum; while the windows of one star are dragged, those of others stay."""
    wave = vacuum_um(spectrum.wavelength, spectrum.medium)
    flux, noise = np.where(spectrum.mask, np.nan, spectrum.flux), spectrum.noise
    divisor = np.ones(wave.shape)
    airglow = airglow_ranges(float(wave[0]), float(wave[-1])) if look.without_airglow else ()
    if look.normalised:
        found = normalise(spectrum, windows=continuum.windows, exclude=airglow, parameters=continuum.parameters)
        flux, noise, divisor = np.where(spectrum.mask, np.nan, found.flux), found.noise, found.continuum
        if not np.any(divisor > 0):
            msg = f"{spectrum.label}: not shown; its continuum is nowhere positive, and nothing can be divided by it"
            raise KmosError(msg)
    flux = np.where(in_windows(wave, airglow), np.nan, flux)
    if look.smooth_fwhm_pix > 0:
        flux, noise = smooth_spectrum(flux, noise, fwhm_pix=look.smooth_fwhm_pix)
    return Trace(
        id=spectrum.aperture.id,
        name=spectrum.label,
        source=source,
        wavelength_um=wave,
        flux=flux,
        noise=noise,
        continuum=divisor,
    )


def _names(traces: Sequence[Trace]) -> list[str]:
    """Return names that tell traces apart: with where they come from, where a label is shared."""
    return [", ".join(filter(None, (trace.name, _where(trace, traces)))) for trace in traces]


def _where(trace: Trace, traces: Sequence[Trace]) -> str:
    """Return what tells a trace from others of its label: the folder, as that of an epoch, if that is enough."""
    sources = [other.source for other in traces if other.name == trace.name]
    folders = {source: source.rpartition("/")[0] or source for source in sources}
    where = folders[trace.source] if len(set(folders.values())) == len(sources) else trace.source
    return where if len(sources) > 1 else ""


def _stacked(traces: Sequence[Trace], spacing: float) -> tuple[Trace, ...]:
    """Put each spectrum above the one before."""
    levels = stacked_levels([trace.flux for trace in traces], spacing)
    return tuple(
        dataclasses.replace(trace, flux=trace.flux + level, level=level)
        for trace, level in zip(traces, levels, strict=True)
    )


def _differences(traces: Sequence[Trace]) -> tuple[Trace, ...]:
    """Return, of each star that has several, the difference of each trace and the next."""
    groups = {trace.id: [other for other in traces if other.id == trace.id] for trace in traces}
    return tuple(difference(one, other) for group in groups.values() for one, other in pairwise(group))
