"""Simulated nights: exposures as the pipeline writes them, with their truth."""

from __future__ import annotations

from napari_kmos.simulate.night import Night, sample_night, simulate_night, true_sky, true_stars
from napari_kmos.simulate.parameters import SimulationParameters

__all__ = ["Night", "SimulationParameters", "sample_night", "simulate_night", "true_sky", "true_stars"]
