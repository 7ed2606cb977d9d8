"""FITS files as the pipeline writes them, made with astropy alone: the oracle for reader and writer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import factories
import numpy as np
from astropy.io import fits

N_WAVE, N_Y, N_X = 12, 5, 7


def values(seed: int = 0, shape: tuple[int, ...] = (N_WAVE, N_Y, N_X)) -> np.ndarray:
    """Return pixels without an accidental zero."""
    return np.random.default_rng(seed).normal(50, 5, shape).astype(np.float32)


def axes(**changes: object) -> fits.Header:
    """Return the axes of a cube extension, CD and CDELT both; None removes a card."""
    header = fits.Header()
    scale = 0.2 / 3600
    cards = {
        "CTYPE1": "RA---TAN",
        "CTYPE2": "DEC--TAN",
        "CRPIX1": 4.0,
        "CRPIX2": 3.0,
        "CRVAL1": factories.RA,
        "CRVAL2": factories.DEC,
        "CD1_1": -scale,
        "CD1_2": 0.0,
        "CD2_1": 0.0,
        "CD2_2": scale,
        "CDELT1": -scale,
        "CDELT2": scale,
        "CTYPE3": "WAVE",
        "CUNIT3": "um",
        "CRPIX3": 2.0,
        "CRVAL3": 2.0,
        "CDELT3": 0.01,
    }
    for key, value in (cards | changes).items():
        if value is not None:
            header[key] = value
    return header


def write_exposure(
    path: Path,
    *,
    ifus: Sequence[int] = (3, 22),
    noise: bool = True,
    primary: fits.Header | None = None,
    **cards: object,
) -> Path:
    """Write an exposure of 24 arms; the others have extensions without data."""
    hdus = [fits.PrimaryHDU(header=primary or factories.primary_header(ifus, band="K", mjd=58000.25))]
    for number in range(1, 25):
        for kind in ("DATA", "NOISE") if noise else ("DATA",):
            data = None
            if number in ifus:
                data = values(number) if kind == "DATA" else np.full((N_WAVE, N_Y, N_X), 2.0, dtype=np.float32)
            header = axes(**cards) if data is not None else None
            hdus.append(fits.ImageHDU(data, header=header, name=f"IFU.{number}.{kind}"))
    fits.HDUList(hdus).writeto(path)
    return path


def write_combined(
    path: Path, data: np.ndarray, *, name: str = "AGN6", noise: np.ndarray | None = None, **cards: object
) -> Path:
    """Write a combined cube: three HDUs."""
    primary = factories.primary_header((15,), band="YJ", mjd=58000.25)
    hdus = [fits.PrimaryHDU(header=primary), fits.ImageHDU(data, header=axes(**cards), name=f"{name}.DATA")]
    if noise is not None:
        hdus.append(fits.ImageHDU(noise, header=axes(**cards), name=f"{name}.NOISE"))
    for hdu, kind in zip(hdus[1:], ("DATA", "NOISE"), strict=False):
        hdu.header["EXTNAME"] = f"{name}.{kind}"
    fits.HDUList(hdus).writeto(path)
    return path
