"""Cubes as other instruments write them, made with astropy alone: every layout, compression and kind of axis."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import factories
import numpy as np
from astropy.io import fits

N_WAVE, N_Y, N_X = 6, 4, 5
#: Speed of light in m/s, and a rest wavelength in micron.
C = 299792458.0
REST_UM = 2.0
_PIX = np.arange(N_WAVE) - 1.0  # from CRPIX 2
_SCALE = 0.2 / 3600


@dataclass(frozen=True)
class AxisKind:
    """One kind of spectral axis: its cards, and the wavelengths in micron, in their stored order."""

    cards: Mapping[str, object]
    wavelength_um: np.ndarray
    medium: str = "vacuum"
    order: str = "xyw"  # of the FITS axes
    extra: Mapping[str, object] = field(default_factory=dict)


def _beta(step_kms: float) -> np.ndarray:
    """Return velocities over c, from 300 km/s."""
    return (300e3 + step_kms * 1e3 * _PIX) / C


AXES: dict[str, AxisKind] = {
    "WAVE um": AxisKind({"CTYPE": "WAVE", "CUNIT": "um", "CRVAL": 2.0, "CDELT": 0.01}, 2 + 0.01 * _PIX),
    "WAVE, no unit": AxisKind({"CTYPE": "WAVE", "CRVAL": 2.0, "CDELT": 0.01}, 2 + 0.01 * _PIX),
    "AWAV Angstrom": AxisKind(
        {"CTYPE": "AWAV", "CUNIT": "Angstrom", "CRVAL": 5e3, "CDELT": 1.25}, 0.5 + 1.25e-4 * _PIX, "air"
    ),
    "WAVE-LOG nm": AxisKind(
        {"CTYPE": "WAVE-LOG", "CUNIT": "nm", "CRVAL": 500.0, "CDELT": 0.5}, 0.5 * np.exp(1e-3 * _PIX)
    ),
    "LINEAR nm": AxisKind({"CTYPE": "LINEAR", "CUNIT": "nm", "CRVAL": 700.0, "CDELT": 2.0}, 0.7 + 0.002 * _PIX),
    "no name, A": AxisKind({"CUNIT": "A", "CRVAL": 7e3, "CDELT": 20.0}, 0.7 + 0.002 * _PIX),
    "FREQ GHz": AxisKind({"CTYPE": "FREQ", "CUNIT": "GHz", "CRVAL": 230.0, "CDELT": 0.1}, C / (230 + 0.1 * _PIX) / 1e3),
    "ENER eV": AxisKind(
        {"CTYPE": "ENER", "CUNIT": "eV", "CRVAL": 1.0, "CDELT": 0.01}, 1.2398419843320026 / (1 + 0.01 * _PIX)
    ),
    "WAVN 1/cm": AxisKind({"CTYPE": "WAVN", "CUNIT": "cm-1", "CRVAL": 5e3, "CDELT": 10.0}, 1e4 / (5e3 + 10 * _PIX)),
    "VOPT km/s": AxisKind(
        {"CTYPE": "VOPT", "CUNIT": "km/s", "CRVAL": 300.0, "CDELT": 20.0},
        REST_UM * (1 + _beta(20)),
        extra={"RESTWAV": 2e-6},
    ),
    "VRAD m/s": AxisKind(
        {"CTYPE": "VRAD", "CUNIT": "m/s", "CRVAL": 3e5, "CDELT": 2e4},
        REST_UM / (1 - _beta(20)),
        extra={"RESTFRQ": C / 2e-6},
    ),
    "VELO km/s": AxisKind(
        {"CTYPE": "VELO", "CUNIT": "km/s", "CRVAL": 300.0, "CDELT": 20.0},
        REST_UM * np.sqrt((1 + _beta(20)) / (1 - _beta(20))),
        extra={"RESTFRQ": C / 2e-6},
    ),
    "descending": AxisKind({"CTYPE": "WAVE", "CUNIT": "um", "CRVAL": 2.0, "CDELT": -0.01}, 2 - 0.01 * _PIX),
    "wavelength first": AxisKind(
        {"CTYPE": "WAVE", "CUNIT": "um", "CRVAL": 2.0, "CDELT": 0.01}, 2 + 0.01 * _PIX, order="wxy"
    ),
    "declination first": AxisKind(
        {"CTYPE": "FREQ", "CUNIT": "Hz", "CRVAL": 1e14, "CDELT": 1e11}, C / (1e14 + 1e11 * _PIX) * 1e6, order="ywx"
    ),
    "four axes": AxisKind(
        {"CTYPE": "FREQ", "CUNIT": "Hz", "CRVAL": 1e14, "CDELT": 1e11}, C / (1e14 + 1e11 * _PIX) * 1e6, order="xysw"
    ),
}


@dataclass(frozen=True)
class Truth:
    """What a file holds, in the order (wavelength, y, x) with ascending wavelengths; NaN is no data."""

    flux: np.ndarray
    noise: np.ndarray | None
    wavelength_um: np.ndarray
    medium: str


@dataclass(frozen=True)
class Part:
    """One extension: its name, what it holds of flux, 1 sigma and bad pixels, and further cards."""

    name: str
    pixels: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
    cards: Mapping[str, object] = field(default_factory=dict)


def _flux(name: str, **cards: object) -> Part:
    return Part(name, lambda flux, noise, bad: flux, cards)


def _eso(kind: str, meaning: str, **cards: object) -> dict[str, object]:
    return {"HDUCLASS": "ESO", "HDUCLAS1": "IMAGE", "HDUCLAS2": kind, "HDUCLAS3": meaning, **cards}


_SIGMA, _VARIANCE, _INVERSE = (lambda f, n, b: n), (lambda f, n, b: n**2), (lambda f, n, b: n**-2.0)
#: Bit 1 says bad; bit 4 alone says something that does no harm.
_JWST_DQ = Part("DQ", lambda f, n, b: np.where(b, 513, 4).astype(np.uint32))

LAYOUTS: dict[str, tuple[Part, ...]] = {
    "KMOS": (_flux("AGN6.DATA"), Part("AGN6.NOISE", _SIGMA)),
    "DATA STAT DQ": (_flux("DATA"), Part("STAT", _VARIANCE), Part("DQ", lambda f, n, b: b.astype(np.int16) * 8)),
    "SCI ERR DQ": (_flux("SCI"), Part("ERR", _SIGMA), _JWST_DQ),
    "ESO": (
        _flux("IMAGE", **_eso("DATA", "", ERRDATA="WEIGHTS", QUALDATA="GOOD")),
        Part("WEIGHTS", _INVERSE, _eso("ERROR", "INVMSE", SCIDATA="IMAGE")),
        Part("GOOD", lambda f, n, b: (~b).astype(np.uint8), _eso("QUALITY", "MASKONE", SCIDATA="IMAGE")),
    ),
    "FLUX IVAR": (_flux("FLUX"), Part("IVAR", _INVERSE)),
    "bare": (_flux(""),),
}


def write_foreign(folder: Path, layout: str, compression: str, axis: str) -> tuple[Path, Truth]:
    """Write a cube and return its path and what it holds."""
    kind, parts = AXES[axis], LAYOUTS[layout]
    rng = np.random.default_rng(5)
    flux = rng.normal(50, 5, (N_WAVE, N_Y, N_X)).astype(np.float32)
    noise = rng.uniform(1, 2, flux.shape).astype(np.float32)
    bad = rng.uniform(size=flux.shape) < 0.1
    hdus = [fits.PrimaryHDU()]
    for part in parts:
        pixels = _stored(part.pixels(flux, noise, bad), kind.order)
        header = fits.Header({**_cards(kind), **part.cards})
        if compression == "fz":
            lossless = {"compression_type": "GZIP_2", "quantize_level": 0} if pixels.dtype.kind == "f" else {}
            hdus.append(fits.CompImageHDU(pixels, header=header, name=part.name, **lossless))
        elif not part.name:
            hdus = [fits.PrimaryHDU(pixels, header=header)]
        else:
            hdus.append(fits.ImageHDU(pixels, header=header, name=part.name))
    path = folder / ("cube.fits" if compression != "fz" else "cube.fits.fz")
    fits.HDUList(hdus).writeto(path)
    if compression == "gz":
        path = _gzipped(path)
    has_quality = any("GOOD" in part.name or part.name == "DQ" for part in parts)
    return path, _truth(kind, flux, noise if len(parts) > 1 else None, bad if has_quality else np.zeros_like(bad))


def _truth(kind: AxisKind, flux: np.ndarray, noise: np.ndarray | None, bad: np.ndarray) -> Truth:
    step = 1 if kind.wavelength_um[-1] > kind.wavelength_um[0] else -1
    arrays = [None if values is None else np.where(bad, np.nan, values)[::step] for values in (flux, noise)]
    return Truth(arrays[0], arrays[1], kind.wavelength_um[::step], kind.medium)


def _stored(values: np.ndarray, order: str) -> np.ndarray:
    """Return pixels (wavelength, y, x) in the order of the FITS axes; s is an axis of one element."""
    return (
        np.ascontiguousarray(np.einsum("wyxs->" + order[::-1], values[..., None]))
        if "s" in order
        else (np.ascontiguousarray(np.einsum("wyx->" + order[::-1], values)))
    )


def _cards(kind: AxisKind) -> dict[str, object]:
    number = {letter: position for position, letter in enumerate(kind.order, start=1)}
    cards = {f"{key}{number['w']}": value for key, value in kind.cards.items()} | {f"CRPIX{number['w']}": 2.0}
    for letter, ctype, value, reference in (
        ("x", "RA---TAN", factories.RA, 3.0),
        ("y", "DEC--TAN", factories.DEC, 2.0),
    ):
        axis = number[letter]
        cards |= {f"CTYPE{axis}": ctype, f"CRVAL{axis}": value, f"CRPIX{axis}": reference, f"CUNIT{axis}": "deg"}
        cards |= {f"CDELT{axis}": -_SCALE if letter == "x" else _SCALE}
    if "s" in number:
        cards |= {f"CTYPE{number['s']}": "STOKES", f"CRVAL{number['s']}": 1.0, f"CRPIX{number['s']}": 1.0}
    return cards | dict(kind.extra)


def _gzipped(path: Path) -> Path:
    target = path.with_name(path.name + ".gz")
    with path.open("rb") as source, gzip.open(target, "wb") as packed:
        shutil.copyfileobj(source, packed)
    return target
