"""Objects paired with skies; epochs and halves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from napari_kmos.errors import KmosError, SkyError
from napari_kmos.recipes.finding import Found
from napari_kmos.recipes.pairing import drop_copies, group_epochs, pair_skies, split_at_gap, split_halves

NAN = float("nan")


def _found(name, role, mjd, ifus=(3, 5), **facts):
    targets = {ifu: f"star{ifu}" for ifu in ifus}
    return Found(
        **{
            "file": Path(name),
            "role": role,
            "why": "",
            "band": "K",
            "planes": 8,
            "mjd": mjd,
            "targets": targets,
            **facts,
        }
    )


def test_nearest_sky_in_time_is_taken():
    night = [
        _found("o1", "object", 0.0),
        _found("s1", "sky", 0.02),
        _found("o2", "object", 0.05),
        _found("s2", "sky", 0.06),
    ]
    assert pair_skies(night) == {
        0: (1, "nearest in time (29 min after), has every IFU of the object"),
        2: (3, "nearest in time (14 min after), has every IFU of the object"),
    }


def test_a_sky_with_every_ifu_goes_before_a_nearer_one():
    """Within a night; a complete sky of another night does not replace an incomplete one of this."""
    night = [_found("o", "object", 0.0, (3, 5, 22)), _found("s1", "sky", 0.01), _found("s2", "sky", 0.1, (3, 5, 22))]
    assert pair_skies(night)[0][0] == 2
    other_night = [*night[:2], _found("s2", "sky", 30.0, (3, 5, 22))]
    assert pair_skies(other_night)[0] == (1, "nearest in time (14 min after), lacks IFU 22")


def test_an_ifu_of_the_same_detector_helps():
    night = [_found("o", "object", 0.0, (3, 5)), _found("s", "sky", 0.01, (5, 6))]
    assert pair_skies(night)[0][1].endswith("lacks IFU 3, for which another of the same detector serves")


def test_bands_and_samplings_do_not_mix():
    night = [_found("o", "object", 0.0), _found("h", "sky", 0.01, band="H"), _found("k", "sky", 3.0)]
    assert pair_skies(night)[0][0] == 2
    night[2] = replace(night[2], planes=12)
    with pytest.raises(SkyError, match=r"o: no sky of band K with 8 planes .* H with 8 planes, K with 12 planes"):
        pair_skies(night)


def test_object_without_any_sky_is_told():
    with pytest.raises(SkyError, match=r"skies: none. .*--sky"):
        pair_skies([_found("o", "object", 0.0)])


def test_missing_dates_are_no_error():
    assert pair_skies([_found("o", "object", NAN), _found("s", "sky", 1.0)])[0][1].startswith(
        "the only one, or the first"
    )


def test_telluric_corrected_product_replaces_the_plain_one():
    """Both products of an exposure lie in a Reflex tree; one of them is the input."""
    plain = _found("plain", "object", 1.0, category="SCI_RECONSTRUCTED")
    corrected = _found("corrected", "object", 1.0, category="SINGLE_CUBES")
    for night in ([plain, corrected], [corrected, plain]):
        roles = {str(item.file): item for item in drop_copies(night)}
        assert roles["corrected"].role == "object"
        assert roles["plain"].role == "skip"
        assert roles["plain"].why == "the same exposure as corrected, which is SINGLE_CUBES"


def test_copies_are_told():
    copies = [_found("a", "object", 1.0), _found("b", "object", 1.0)]
    with pytest.raises(KmosError, match="b and a are the same exposure"):
        drop_copies(copies)


@pytest.mark.parametrize("other", [{"mjd": 1.01}, {"ifus": (7,)}, {"band": "H"}, {"mjd": NAN}])
def test_what_is_no_copy(other):
    """Another time, another IFU in a file of its own, another band, or no date to tell by."""
    night = [_found("a", "object", 1.0), _found("b", "object", **{"mjd": 1.0, **other})]
    assert [item.role for item in drop_copies(night)] == ["object", "object"]


def test_epochs_begin_after_a_gap():
    assert group_epochs([10.0, 11.0, 55.0, 54.0, NAN], gap_days=30) == ("p1", "p1", "p2", "p2", "p3")
    assert group_epochs([10.0, 11.0], gap_days=0.5) == ("p1", "p2")


@pytest.mark.parametrize(
    ("objects", "skies", "halves"),
    [
        ([0, 1, 3, 4], [2], (1, 1, 2, 2)),
        ([0, 1], [2], (1, 1)),
        ([0, 1], [-1], (2, 2)),
        ([0, 2], [1, 3], (1, 2)),
        ([4, 0, 6, 2], [1, 3, 5, 7], (2, 1, 2, 1)),
    ],
)
def test_halves_are_before_and_after_the_sky(objects, skies, halves):
    """Of several skies the one amid the OB counts."""
    assert split_halves(objects, skies) == halves


def test_halves_by_an_interruption():
    """The longest time without an exposure splits; times from start to start hold the exposures themselves."""
    minutes = [0, 11, 22, 45, 56, 70]  # exposures of 10 minutes: nothing for 13 and for 4
    mjds, lengths = [one / 1440 for one in minutes], [600.0] * 6
    assert split_at_gap(mjds, lengths, gap_minutes=3) == (1, 1, 1, 2, 2, 2)
    assert split_at_gap(mjds, lengths, gap_minutes=14) == (None,) * 6
    assert split_at_gap(mjds[::-1], lengths, gap_minutes=3) == (2, 2, 2, 1, 1, 1)
    assert split_at_gap(mjds, [NAN] * 6, gap_minutes=3) == (1, 1, 1, 2, 2, 2)  # 11 minutes are taken for the exposure
    assert split_at_gap(mjds[:3], [NAN] * 3, gap_minutes=0) == (None,) * 3
    assert split_at_gap([*mjds, NAN], [*lengths, 600.0], gap_minutes=3) == (1, 1, 1, 2, 2, 2, None)
    assert split_at_gap([0.0, 0.0, 0.1], [600.0] * 3, gap_minutes=3) == (1, 1, 2)  # two files of one exposure
    assert split_at_gap([], [], gap_minutes=3) == ()
