"""Star spectra as plain text: wavelength, flux and its error, as StarKit's users and others read them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u
from astropy.io import fits

from napari_kmos.aperture import Aperture
from napari_kmos.errors import ExtractionError, NotKmosError
from napari_kmos.io._axes import read_unit
from napari_kmos.io._cards import escaped, unescaped
from napari_kmos.io.text import read_text, write_text
from napari_kmos.spectrum import StarSpectrum

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_ENDINGS = (".txt", ".dat", ".asc", ".ascii", ".csv", ".tsv")
_COLUMNS = re.compile(r"wavelength \(micron, (vacuum|air)\), flux \((.*)\), 1 sigma \(.*\)")
#: Wavelengths lie so near to even planes, in planes: they are written to 1e-8 micron.
_EVEN_PIX = 0.05


def write_spectrum_text(spectrum: StarSpectrum, path: Path | str, *, overwrite: bool = False) -> Path:
    """Write a spectrum as three columns that `numpy.loadtxt` reads: wavelength in micron, flux, 1 sigma.

    Parameters
    ----------
    spectrum : StarSpectrum
        Wavelengths without flux have no line: fits of models take no NaN. An error that is unknown is ``nan``.
    path : path
        File to write.
    overwrite : bool
        Replace an existing file.

    Raises
    ------
    WriteError
        If the file exists and may not be replaced, or cannot be written.
    """
    aperture, unit = spectrum.aperture, "unknown" if spectrum.unit is None else spectrum.unit.to_string()
    kept = np.isfinite(spectrum.flux)
    facts = {
        "id": escaped(aperture.id),
        "ra dec (deg)": f"{aperture.ra:.8f} {aperture.dec:.8f}",
        "radius (arcsec)": f"{aperture.radius_arcsec:.5g}",
        "method": spectrum.method,
        "cube": escaped(spectrum.source),
        "wavelengths without data, left out": f"{np.count_nonzero(~kept)} of {kept.size}",
        "SNR": f"{spectrum.snr:.2f} measured, {spectrum.snr_noise:.2f} by the errors",
        "columns": f"wavelength (micron, {spectrum.medium}), flux ({unit}), 1 sigma ({unit})",
    }
    columns = zip(spectrum.wavelength_um[kept], spectrum.flux[kept], spectrum.noise[kept], strict=True)
    lines = [f"# {name}: {value}" for name, value in facts.items()]
    lines += [f"{wave:.8f} {flux:.9e} {noise:.6e}" for wave, flux, noise in columns]
    return write_text("\n".join(lines) + "\n", path, overwrite=overwrite)


def is_text(path: Path) -> bool:
    """Tell whether a file is text, by the end of its name, or as it begins as one that `write_spectrum_text` wrote."""
    try:
        with path.open("rb") as stream:
            return path.suffix.lower() in _ENDINGS or stream.read(1) == b"#"
    except OSError:  # to be told by who reads it
        return False


def read_spectrum_text(path: Path | str) -> StarSpectrum:
    """Read a spectrum that `write_spectrum_text` wrote.

    Returns
    -------
    StarSpectrum
        On all its planes from the first with data to the last, NaN where the text has none. A text does not tell
        sky and coverage, which are NaN, nor date, IFU and target.

    Raises
    ------
    NotKmosError
        If the file cannot be read, or is another text: without its first lines nothing tells which star it is.
    """
    told, rows = _split(read_text(path))
    try:
        ra, dec = map(float, told["ra dec (deg)"].split())
        radius = float(told["radius (arcsec)"])
        aperture = Aperture(id=unescaped(told["id"]), ra=ra, dec=dec, radius_arcsec=radius)
        medium, unit = _COLUMNS.fullmatch(told["columns"]).groups()  # type: ignore[union-attr]
        wave, flux, noise = _on_planes(*np.array(rows, dtype=float).T)
    except (AttributeError, ExtractionError, KeyError, TypeError, ValueError) as err:
        msg = f"{path}: text of another kind; expected a spectrum of `napari-kmos extract`, rather FITS than text"
        raise NotKmosError(msg) from err
    unknown = np.full(wave.size, np.nan)
    return StarSpectrum(
        aperture=aperture,
        wavelength=wave * u.um,
        flux=flux,
        noise=noise,
        sky=unknown,
        mask=~np.isfinite(flux),
        unit=None if unit == "unknown" else read_unit(fits.Header({"BUNIT": unit}), fits.Header(), str(path)),
        medium=medium,
        area_pix=float("nan"),
        coverage=unknown,
        method=told.get("method", ""),
        source=unescaped(told.get("cube", "")),
        note="read from text: no date, sky, zero point",
    )


def _split(text: str) -> tuple[dict[str, str], list[list[str]]]:
    """Return what the first lines tell, and the columns of the others."""
    lines = [line for line in text.splitlines() if line.strip()]
    told = (line.removeprefix("# ").partition(": ") for line in lines if line.startswith("#"))
    return {name: value for name, _, value in told}, [line.split() for line in lines if not line.startswith("#")]


def _on_planes(wave: Floats, flux: Floats, noise: Floats) -> tuple[Floats, Floats, Floats]:
    """Return three columns with the planes between them that had no data."""
    number = np.rint((wave - wave[0]) / np.min(np.diff(wave)))
    step, start = np.polyfit(number, wave, 1)
    if step <= 0 or np.abs(wave - start - step * number).max() > _EVEN_PIX * step:
        msg = "uneven wavelengths"
        raise ValueError(msg)
    planes = np.full((2, int(number[-1]) + 1), np.nan)
    planes[:, number.astype(int)] = flux, noise
    return start + step * np.arange(planes.shape[1]), planes[0], planes[1]
