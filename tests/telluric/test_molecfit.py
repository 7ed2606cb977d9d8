"""The adapter of pymolfit, against a stand-in: the real one needs a catalogue that the user obtains."""

from __future__ import annotations

import sys
import types
from dataclasses import dataclass

import numpy as np
import observed_stars as stars
import pytest

from napari_kmos.errors import EngineError
from napari_kmos.telluric import model_transmission


@dataclass
class _Result:
    transmission: np.ndarray
    transmission_uncertainty: np.ndarray | None
    species_scales: dict


def _spectrum():
    seen = stars.see(stars.smooth_star, airmass=1.2, water=2.0, snr=100, rng=np.random.default_rng(1), nz=300)
    return stars.star_spectrum(seen, mjd=58000.0, exptime=100.0)


def _stand_in(correct):
    module = types.ModuleType("pymolfit")
    module.ExternalDataError = type("ExternalDataError", (RuntimeError,), {})
    module.Spectrum = module.Observation = module.CacheConfig = lambda **facts: types.SimpleNamespace(**facts)
    module.correct = correct
    return module


def test_without_pymolfit_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pymolfit", None)
    with pytest.raises(EngineError, match=r"pip install 'napari-kmos\[molecfit\]'"):
        model_transmission(_spectrum(), airmass=1.2, resolution=4200)


def test_its_model_becomes_a_correction(monkeypatch):
    given = {}

    def correct(spectrum, **facts):
        given.update(facts, spectrum=spectrum)
        through = np.linspace(1, 0.1, spectrum.wavelength.size)
        return _Result(through, 0.01 * through, {"H2O": 1.3, "CO2": 1.05})

    monkeypatch.setitem(sys.modules, "pymolfit", _stand_in(correct))
    spectrum = _spectrum()
    found = model_transmission(spectrum, airmass=1.2, resolution=4200, min_transmission=0.3)
    assert given["cache"].aer_offline is True  # nothing is fetched
    assert given["spectrum"].wavelength_unit == "micron"
    assert given["spectrum"].observation.airmass == 1.2
    np.testing.assert_allclose(found.relative_noise, 0.01)
    assert np.isnan(found.transmission[-1])
    assert found.windows[0].note == "pymolfit: CO2 1.050, H2O 1.300"


def test_without_its_catalogue_the_message_says_where_to_read(monkeypatch):
    def correct(spectrum, **facts):
        msg = "AER catalogue not found\nlong story"
        raise module.ExternalDataError(msg)

    module = _stand_in(correct)
    monkeypatch.setitem(sys.modules, "pymolfit", module)
    with pytest.raises(EngineError, match=r"AER catalogue not found; it needs .*docs/telluric.md"):
        model_transmission(_spectrum(), airmass=1.2, resolution=4200)
