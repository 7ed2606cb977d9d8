"""All measurements of a star's spectrum in one go."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from napari_kmos.errors import KmosError
from napari_kmos.measure.correlation import CorrelationParameters
from napari_kmos.measure.frames import FRAMES
from napari_kmos.measure.indices import INDICES, UNKNOWN, ClassParameters, Index, classify, measure_index
from napari_kmos.measure.line_fits import LineFit, LineParameters, fit_lines
from napari_kmos.measure.velocities import (
    SLITLET_ERR_PIX,
    Velocity,
    velocity_by_line,
    velocity_by_template,
)
from napari_kmos.spectral.lines import vacuum_um
from napari_kmos.spectral.snr import Snr, measure_snr

if TYPE_CHECKING:
    from napari_kmos.spectral.windows import Window
    from napari_kmos.spectral.zero_points import ZeroPoint
    from napari_kmos.spectrum import SpectralLine, StarSpectrum, Template

BY_TEMPLATE, BY_NOTHING = "template", "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureParameters(ClassParameters):
    """What is measured, and how.

    Parameters
    ----------
    velocity : str
        ``"template"``, the name of one of the lines, or ``"none"``.
    frame : str
        Of velocities: ``"topocentric"``, ``"barycentric"`` or ``"lsr"``.
    profile : str
        Of lines: ``"gaussian"`` or ``"voigt"``.
    half_width_um : float
        The window of a line reaches so far to both sides.
    max_kms : float
        Velocities are looked for up to this.
    slitlet_err_pix : float
        How far, 1 sigma, the wavelengths of a star may lie from those of the cube's sky, in planes; it is part of
        the error of velocities.

    Raises
    ------
    KmosError
        If a value makes no sense.
    """

    velocity: str = field(default=BY_TEMPLATE, metadata={"metavar": "template|LINE|none"})
    frame: str = field(default="barycentric", metadata={"choices": FRAMES})
    profile: str = field(default="gaussian", metadata={"choices": ("gaussian", "voigt")})
    half_width_um: float = 0.01
    max_kms: float = 600.0
    slitlet_err_pix: float = SLITLET_ERR_PIX

    def __post_init__(self) -> None:
        super(MeasureParameters, self).__post_init__()
        if self.frame not in FRAMES:
            msg = f"frame {self.frame!r} is unknown; expected {', '.join(FRAMES)}"
            raise KmosError(msg)
        _ = self.line_parameters, CorrelationParameters(max_kms=self.max_kms)

    @property
    def line_parameters(self) -> LineParameters:
        """How lines are fitted."""
        return LineParameters(profile=self.profile, half_width_um=self.half_width_um)  # type: ignore[arg-type]


_DEFAULTS = MeasureParameters()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class StarMeasurement:
    """What was measured of a star.

    Parameters
    ----------
    id, target : str
        Of the star and its cube.
    ra, dec : float
        Degrees; NaN of a file that is no spectrum.
    ifu : int, optional
        None in a mosaic.
    file : str
        The spectrum.
    snr : Snr, optional
        None of a file that is no spectrum.
    velocity : Velocity
        With a reason where there is none.
    lines : tuple of LineFit
        In the order of the list.
    indices : mapping of str to Index
        By name.
    category : str
        ``"late"``, ``"early"`` or ``"unknown"``, and why: ``category_reason``.
    notes : tuple of str
        What else is to be known, or why nothing was measured.
    """

    id: str
    target: str = ""
    ra: float = math.nan
    dec: float = math.nan
    ifu: int | None = None
    file: str = ""
    snr: Snr | None = None
    velocity: Velocity = field(default_factory=Velocity)
    lines: tuple[LineFit, ...] = ()
    indices: Mapping[str, Index] = field(default_factory=lambda: MappingProxyType({}))
    category: str = UNKNOWN
    category_reason: str = ""
    notes: tuple[str, ...] = ()


def measure_star(
    spectrum: StarSpectrum,
    *,
    template: Template | None = None,
    lines: Sequence[SpectralLine] = (),
    windows: Sequence[Window] | None = None,
    zero_point: ZeroPoint | None = None,
    parameters: MeasureParameters = _DEFAULTS,
) -> StarMeasurement:
    """Measure signal to noise, velocity, lines, indices and class of a star.

    Parameters
    ----------
    spectrum : StarSpectrum
        Lines, velocity and indices need wavelengths in vacuum.
    template : Template, optional
        For ``parameters.velocity`` ``"template"``.
    lines : sequence of SpectralLine
        To be fitted.
    windows : sequence of (start, end) in micron, optional
        Of the SNR; those of the band by default.
    zero_point : ZeroPoint, optional
        Of the cube's wavelengths; `sky_zero_point` of the spectrum if None, none if of NaN.
    parameters : MeasureParameters
        What, and how.

    Returns
    -------
    StarMeasurement
        What could not be measured has a reason, and the rest goes on. Lines and indices are looked for where the
        velocity says.

    Raises
    ------
    KmosError
        If the velocity is wanted by a line that is not in the list, or by a template without one.
    """
    line = _velocity_line(lines, template, parameters)
    notes = [spectrum.note] if spectrum.note else []
    snr = measure_snr(vacuum_um(spectrum.wavelength, spectrum.medium), spectrum.flux, windows, noise=spectrum.noise)
    aperture = spectrum.aperture
    measured = StarMeasurement(
        id=aperture.id, target=spectrum.target, ra=aperture.ra, dec=aperture.dec, ifu=spectrum.ifu, snr=snr
    )
    if not math.isfinite(snr.value):
        notes.append("no SNR: too little data or no continuum in the windows")
    if spectrum.medium != "vacuum":
        notes.append(f"wavelengths in {spectrum.medium}: only the SNR is measured")
        return dataclasses.replace(measured, notes=tuple(notes))
    velocity = _velocity(spectrum, line, template, (zero_point, parameters))
    seen = 0.0 if velocity.reason else velocity.apparent_kms
    how = dataclasses.replace(parameters.line_parameters, velocity_kms=seen)
    found = {name: measure_index(spectrum, one, velocity_kms=seen) for name, one in INDICES.items()}
    category, why = classify(found, parameters=parameters)
    return dataclasses.replace(
        measured,
        velocity=velocity,
        lines=fit_lines(spectrum, lines, parameters=how),
        indices=MappingProxyType(found),
        category=category,
        category_reason=why,
        notes=tuple(notes),
    )


def _velocity(
    spectrum: StarSpectrum,
    line: SpectralLine | None,
    template: Template | None,
    how: tuple[ZeroPoint | None, MeasureParameters],
) -> Velocity:
    """Measure the velocity by a line, or by a template, or not."""
    zero, parameters = how
    told: dict[str, Any] = {"zero_point": zero, "frame": parameters.frame}
    told["slitlet_err_pix"] = parameters.slitlet_err_pix
    if line is not None:
        (fit,) = fit_lines(spectrum, [line], parameters=parameters.line_parameters)
        return velocity_by_line(spectrum, fit, **told)
    if template is not None and parameters.velocity == BY_TEMPLATE:
        search = CorrelationParameters(max_kms=parameters.max_kms)
        return velocity_by_template(spectrum, template, **told, parameters=search)
    return Velocity(reason="not asked for")


def _velocity_line(
    lines: Sequence[SpectralLine], template: Template | None, parameters: MeasureParameters
) -> SpectralLine | None:
    """Return the line by which the velocity is wanted; None if it is by a template or not wanted."""
    if parameters.velocity == BY_NOTHING:
        return None
    if parameters.velocity == BY_TEMPLATE:
        if template is None:
            msg = "a velocity by template needs one; give it, or choose the name of a line, or none"
            raise KmosError(msg)
        return None
    named = [line for line in lines if line.name == parameters.velocity]
    if not named:
        names = ", ".join(line.name for line in lines) or "no line"
        msg = f"velocity by {parameters.velocity!r}: no such line; the list has {names}"
        raise KmosError(msg)
    return named[0]
