"""Star spectra as plain text: wavelength, flux and its error, as StarKit's users and others read them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.io._cards import escaped
from napari_kmos.io.text import write_text

if TYPE_CHECKING:
    from napari_kmos.spectrum import StarSpectrum


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
