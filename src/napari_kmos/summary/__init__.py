"""What a whole cube is summarised to, computed once and kept on disk for the next opening."""

from __future__ import annotations

from napari_kmos.summary.index import index, is_indexed
from napari_kmos.summary.noise import NoiseSummary, find_noise_model, noise_model, summarise_noise
from napari_kmos.summary.white import has_white_light, preview_white_light, white_light

__all__ = [
    "NoiseSummary",
    "find_noise_model",
    "has_white_light",
    "index",
    "is_indexed",
    "noise_model",
    "preview_white_light",
    "summarise_noise",
    "white_light",
]
