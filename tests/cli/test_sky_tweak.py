"""The command sky-tweak: its options become the recipe's."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_kmos.cli import sky_tweak as command
from napari_kmos.cli.main import main
from napari_kmos.esorex import EsorexOptions
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.sky import SkyParameters


@pytest.fixture
def called(monkeypatch):
    """Calls of the recipe, which does nothing."""
    calls = []

    def recipe(*args, **options):
        options.pop("progress")
        calls.append((args, options))
        return Outcome(products=(Path("a_SKY_TWEAK.fits"),))

    monkeypatch.setattr(command, "sky_tweak", recipe)
    return calls


def test_defaults(called):
    assert main(["sky-tweak", "a.fits", "b.fits", "--sky", "s.fits", "-o", "out"]) == 0
    (((objects, skies, out), options),) = called
    assert (objects, skies, out) == ([Path("a.fits"), Path("b.fits")], [Path("s.fits")], Path("out"))
    assert options == {
        "method": "levels", "parameters": SkyParameters(), "ifu": None, "pick": "nearest", "overwrite": False,
        "sky_stars": "mask", "sky_masks": [], "figures": True, "engine": "native", "esorex": EsorexOptions(),
    }  # fmt: skip


def test_options_in_our_spelling_and_in_esos(called):
    words = ["--method", "plain", "--ifu", "7", "--overwrite", "--no-tbsub", "--stretch", "--stretch_degree", "6"]
    assert main(["sky-tweak", "a.fits", "--sky", "s.fits", "t.fits", "-o", "out", *words]) == 0
    (((_, skies, _), options),) = called
    assert skies == [Path("s.fits"), Path("t.fits")]
    assert options["parameters"] == SkyParameters(tbsub=False, stretch=True, stretch_degree=6)
    assert (options["method"], options["ifu"], options["overwrite"]) == ("plain", 7, True)


def test_which_sky_and_its_stars(called):
    words = ["--pick", "best", "--pick-skies", "3", "--sky-mask", "m.fits", "n.fits", "--no-figures"]
    assert main(["sky-tweak", "a.fits", "--sky", "s.fits", "t.fits", "-o", "out", *words]) == 0
    ((_, options),) = called
    assert options["parameters"] == SkyParameters(pick_skies=3)
    assert (options["pick"], options["sky_stars"], options["figures"]) == ("best", "mask", False)
    assert options["sky_masks"] == [Path("m.fits"), Path("n.fits")]
    assert main(["sky-tweak", "a.fits", "--sky", "s.fits", "-o", "out", "--sky-stars", "keep"]) == 0
    assert called[1][1]["sky_stars"] == "keep"


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["a.fits", "-o", "out"], "the following arguments are required: --sky"),
        (["a.fits", "--sky", "s.fits", "-o", "out", "--method", "best"], "invalid choice: 'best'"),
        (["a.fits", "--sky", "s.fits", "-o", "out", "--min-frac", "2"], "min_frac is 2.0; expected a fraction"),
        (["a.fits", "--sky", "s.fits", "-o", "out"], "a.fits: no such file"),
    ],
)
def test_bad_usage_and_bad_files_end_with_2_and_one_line(words, match, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["sky-tweak", *words]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: ")
    assert match in last
