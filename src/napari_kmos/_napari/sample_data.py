"""Sample data: a small simulated night."""

from __future__ import annotations

import tempfile

from napari_kmos._napari.layers import LayerData
from napari_kmos._napari.reader import read
from napari_kmos.recipes.simulate import simulate
from napari_kmos.simulate import SimulationParameters

#: Small enough to be made while one waits: a quarter of the planes, two exposures.
NIGHT = SimulationParameters(ifus=3, exposures=2, epochs=1, nz=512)

_made: dict[tempfile.TemporaryDirectory, list[str]] = {}


def night() -> list[LayerData]:
    """Return the object exposures of a simulated night; its files, skies included, stay until the program ends."""
    if not _made:
        folder = tempfile.TemporaryDirectory(prefix="napari-kmos-night-")
        outcome = simulate(folder.name, parameters=NIGHT)
        _made[folder] = [str(path) for path in outcome.products[: outcome.measured["n_objects"]]]
    return [layer for paths in _made.values() for layer in read(paths)]
