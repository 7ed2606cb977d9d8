"""Decisions go through plain data and come back as they were; what was tampered with is left out and told."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import decided
import numpy as np
import pytest

from napari_kmos.offset import Offset
from napari_kmos.session import Session, decisions, kinds_of_decisions
from napari_kmos.session.values import from_plain, to_plain


def there_and_back(values: dict[str, Any], folder: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    text = json.dumps(to_plain(values, lambda path: str(path.relative_to(folder))), allow_nan=False)
    return from_plain(json.loads(text), lambda name: folder / name)


@pytest.mark.parametrize("seed", range(5))
def test_every_kind_of_decision_comes_back_as_it_was(tmp_path: Path, seed: int):
    rng = np.random.default_rng(seed)
    values = {name: decided.make_decision(name, rng, tmp_path) for name in kinds_of_decisions()}
    assert there_and_back(values, tmp_path) == (values, ())


def test_what_nobody_decided_comes_back_too(tmp_path: Path):
    values = {**decisions(Session()), "out_dir": tmp_path / "products"}
    assert there_and_back(values, tmp_path) == (values, ())


def test_numbers_that_are_none_come_back_and_files_are_named_by_who_knows(tmp_path: Path):
    offset = Offset(
        exposure=0, file=str(tmp_path / "a" / "exp.fits"), ifu=None, dra_arcsec=float("nan"),
        ddec_arcsec=float("-inf"), err_arcsec=1.0, method="none",
    )  # fmt: skip
    alignment = dataclasses.replace(Session().alignment, proposals=(offset,))
    plain = to_plain({"alignment": alignment}, lambda path: str(path.relative_to(tmp_path)))
    assert plain["alignment"]["proposals"][0]["file"] == "a/exp.fits"
    values, problems = from_plain(plain, lambda name: tmp_path / name)
    (found,) = values["alignment"].proposals
    assert np.isnan(found.dra_arcsec)
    assert dataclasses.replace(found, dra_arcsec=0.0) == dataclasses.replace(offset, dra_arcsec=0.0)
    assert problems == ()


STAR = {"id": "1", "ra": 1.0, "dec": 2.0, "radius_arcsec": 0.3}


@pytest.mark.parametrize(
    ("content", "left", "told"),
    [
        ({"apertures": [STAR, {**STAR, "id": "2", "ra": "x"}]}, 1, "apertures[1]: is 'x', expected a number"),
        ({"apertures": [STAR, {**STAR, "radius_arcsec": -1}]}, 1, "radius is -1"),
        ({"apertures": [STAR, {**STAR, "radius_arcsec": 10**400}]}, 1, "too large"),
        ({"apertures": [STAR, {**STAR, "id": "2", "run": "rm"}]}, 2, "apertures[1]: run is not known"),
        ({"apertures": [STAR, ["1"]]}, 1, "expected an object"),
        ({"apertures": [{**STAR, "extra": {"a": {}}}, STAR]}, 1, "expected a number or a text"),
        ({"apertures": [STAR], "spectra": []}, 1, "spectra is no field of a session"),
        ({"apertures": [STAR], "__class__": "os.system"}, 1, "__class__ is no field"),
        ({"apertures": [STAR], "look": {"spacing": -1}}, 1, "look: arrangement"),
        ({"apertures": [STAR], "look": {"normalised": 1}}, 1, "is 1, expected true or false"),
        ({"apertures": [STAR], "extract_parameters": {"sky": "eval('1')"}}, 1, "expected annulus or areas or none"),
        ({"apertures": [STAR], "out_dir": 5}, 1, "out_dir: is 5, expected the name of a file"),
        ({"apertures": [STAR], "out_dir": "a\x00b"}, 1, "expected the name of a file"),
        ({"apertures": [STAR], "fit_um": [1.0]}, 1, "fit_um: zip()"),
        ({"apertures": [STAR], "velocity_kms": "\x1b[2J" * 10_000}, 1, "velocity_kms"),
        ({"apertures": [STAR], "forms": {"combine": {"method": ["x"]}}}, 1, "expected a number or a text"),
        ({"apertures": [STAR], "painted": [{"file": "x", "ifu": 1, "rows": ["01", "2"]}]}, 1, "rows of 0 and 1"),
    ],
)
def test_what_makes_no_sense_is_left_out_by_name_and_the_rest_goes_on(
    tmp_path: Path, content: dict[str, Any], left: int, told: str
):
    values, problems = from_plain(content, lambda name: tmp_path / name)
    assert len(values["apertures"]) == left
    assert len(problems) == 1
    assert told in problems[0]
    assert problems[0].isprintable()
    assert len(problems[0]) < 300
