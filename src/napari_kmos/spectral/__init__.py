"""Along the wavelength: collapse, noise, lines, signal to noise."""

from __future__ import annotations

from napari_kmos.spectral.collapse import collapse_mean, collapse_median
from napari_kmos.spectral.noise import ensure_noise, estimate_noise

__all__ = ["collapse_mean", "collapse_median", "ensure_noise", "estimate_noise"]
