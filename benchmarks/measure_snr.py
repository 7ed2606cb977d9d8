"""How the signal-to-noise ratios of a spectrum compare with the truth: that of many spectra of the same star.

Spectra of a star with a curved continuum and noise: white, or resampled linearly to 1.5 times as many planes.
"Empirical" is mean over standard deviation of each plane over all spectra, and of that the median in the windows. The
others are the median over the spectra, and their scatter: by the noise given, by the windows, DER_SNR; then the factor
by which the correlation makes the noise of a mean larger.

    python benchmarks/measure_snr.py [--seed 1] [--spectra 400]
"""

from __future__ import annotations

import argparse

import numpy as np

from napari_kmos.instrument import BANDS
from napari_kmos.spectral import default_windows, measure_snr
from napari_kmos.spectral.windows import in_windows

RATIOS = 10.0, 50.0, 200.0
N_PLANES = 2048
FINER = 1.5
MOST_OFF = 0.05


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--spectra", type=int, default=400)
    given = parser.parse_args()
    head = ("band", "noise", "SNR", "empirical", "by the noise", "windows", "DER_SNR", "correlation", "")
    print("| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|")
    for band in BANDS:
        for is_white in (True, False):
            for ratio in RATIOS:
                rng = np.random.default_rng([given.seed, list(BANDS).index(band), int(ratio), is_white])
                print("| " + " | ".join(_line(band, ratio, rng, (is_white, given.spectra))) + " |", flush=True)


def _line(band: str, ratio: float, rng: np.random.Generator, how: tuple[bool, int]) -> list[str]:
    """Return the cells of a line."""
    is_white, n_spectra = how
    limits = BANDS[band]
    wave = np.linspace(limits.start_um, limits.end_um, N_PLANES)
    along = (wave - wave.mean()) / np.ptp(wave)
    star = 1 + 0.4 * along - 0.5 * along**2
    noise = star / ratio
    spectra = star + noise * rng.standard_normal((n_spectra, N_PLANES))
    if not is_white:
        finer = np.linspace(wave[0], wave[-1], round(FINER * N_PLANES))
        spectra = np.array([np.interp(finer, wave, one) for one in spectra])
        wave, noise = finer, np.interp(finer, wave, noise)
    found = [measure_snr(wave, one, noise=noise) for one in spectra]
    inside = in_windows(wave, default_windows(wave))
    empirical = float(np.median((spectra.mean(axis=0) / spectra.std(axis=0, ddof=1))[inside]))
    values = np.array([(one.propagated, one.value, one.der) for one in found])
    medians = np.median(values, axis=0)
    met = np.all(np.abs(medians / empirical - 1) <= MOST_OFF)
    cells = [f"{middle:.1f} +- {spread:.1f}" for middle, spread in zip(medians, values.std(axis=0), strict=True)]
    factors = [one.correlation for one in found]
    cells.append(f"{np.median(factors):.2f} +- {np.std(factors):.2f}")
    verdict = ("met" if met else "NOT MET") if is_white else ""
    return [band, "white" if is_white else "resampled", f"{ratio:g}", f"{empirical:.1f}", *cells, verdict]


if __name__ == "__main__":
    main()
