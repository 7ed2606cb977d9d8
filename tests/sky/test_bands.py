"""The tables of bands and groups."""

from __future__ import annotations

import numpy as np
import pytest

from napari_kmos.instrument import BANDS
from napari_kmos.sky import SkyParameters
from napari_kmos.sky._bands import GROUPS_UM, covered_bands, group_masks
from napari_kmos.spectral.oh import sky_lines

#: Branch, spin component and J of the lower level of the lines of each group.
MEMBERS = {"low": ("P1(2.5)", "Q1(1.5)"), "medium": ("P1(3.5)", "R1(1.5)")}
#: The one listed line that belongs to neither branch; it is in the published list.
ODD_UM = 1.00282


def _wavelengths(band):
    return np.linspace(BANDS[band].start_um, BANDS[band].end_um, 2048, endpoint=False)


@pytest.mark.parametrize("band", BANDS)
def test_every_plane_belongs_to_one_band(band):
    wave = _wavelengths(band)
    bands = covered_bands(wave)
    assert np.concatenate([np.arange(2048)[planes] for _, planes in bands]).tolist() == list(range(2048))


def test_bands_of_the_gratings():
    names = {band: [name for name, _ in covered_bands(_wavelengths(band))] for band in BANDS}
    assert names["K"] == ["7-5", "8-6", "9-7", "final bit"]
    assert names["H"] == ["2-0", "3-1", "4-2", "5-3", "6-4", "7-5"]
    assert names["YJ"] == ["9-5", "4-1", "5-2", "6-3", "7-4", "O2", "8-5"]
    assert names["IZ"] == ["5-1", "6-2", "7-3", "8-4", "3-0", "9-5", "4-1", "5-2"]


@pytest.mark.parametrize("group", GROUPS_UM)
def test_listed_lines_agree_with_the_levels(group):
    """Each listed wavelength is that of a line of its group, to half an angstrom."""
    lines = sky_lines((0.95, 2.5), faintest=1e-9)
    members = [label.split(" ")[1] in MEMBERS[group] for label in lines.label]
    known = lines.wavelength_um[members]
    listed = np.array([value for value in GROUPS_UM[group] if value != ODD_UM])
    assert np.min(np.abs(listed[:, None] - known), axis=1).max() < 0.6e-4


def test_line_printed_wrongly_in_the_published_list_is_corrected():
    assert 2.19556 in GROUPS_UM["medium"]
    assert 2.19956 not in GROUPS_UM["medium"]


def test_groups_share_out_the_pixels():
    wave = _wavelengths("K")
    masks = group_masks(wave, SkyParameters())
    assert np.all(sum(mask.astype(int) for mask in masks.values()) == 1)
    pixel = wave[1] - wave[0]
    for name, line in (("low", 2.18023), ("medium", 2.19556)):
        near = np.abs(wave - line) < 7.9 * pixel
        assert masks[name][near].all()
        assert not masks[name][(np.abs(wave - line) > 8.1 * pixel) & (np.abs(wave - line) < 15 * pixel)].any()


def test_oxygen_and_what_is_not_listed_have_no_group():
    for band, start, end in (("YJ", 1.252, 1.289), ("IZ", 0.78, 0.998)):
        wave = _wavelengths(band)
        inside = (wave >= start) & (wave < end)
        assert not any(mask[inside].any() for mask in group_masks(wave, SkyParameters()).values())
