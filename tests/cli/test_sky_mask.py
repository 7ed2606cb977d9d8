"""The command sky-mask: its options become the recipe's."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_kmos.cli import sky_mask as command
from napari_kmos.cli.main import main
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.sky import CleaningParameters


@pytest.fixture
def called(monkeypatch):
    """Calls of the recipe, which does nothing."""
    calls = []

    def recipe(*args, **options):
        options.pop("progress")
        calls.append((args, options))
        ifus = {
            "3": {"n_masked": 12, "n_spaxels": 168, "crowded": False},
            "5": {"n_masked": 0, "n_spaxels": 168, "crowded": False},
            "7": {"n_masked": 160, "n_spaxels": 168, "crowded": True},
        }
        return Outcome(
            products=(Path("a_SKY_CLEAN.fits"),), measured={"a_SKY_CLEAN.fits": {"sky": "a.fits", "ifus": ifus}}
        )

    monkeypatch.setattr(command, "sky_mask", recipe)
    return calls


def test_defaults(called, capsys):
    assert main(["sky-mask", "a.fits", "b.fits", "-o", "out"]) == 0
    assert called == [
        (
            ([Path("a.fits"), Path("b.fits")], Path("out")),
            {"masks": (), "parameters": CleaningParameters(), "ifu": None, "overwrite": False},
        )
    ]
    assert capsys.readouterr().out.splitlines()[1:] == [
        "a.fits IFU 3: 12 of 168 spaxels with stars",
        "a.fits IFU 7: 160 of 168 spaxels with stars, crowded",
    ]


def test_options(called):
    words = ["--mask", "m.fits", "--ifu", "7", "--overwrite", "--seed-sigma", "8", "--wing_sigma", "3"]
    assert main(["sky-mask", "a.fits", "-o", "out", *words]) == 0
    ((_, options),) = called
    assert options["parameters"] == CleaningParameters(seed_sigma=8, wing_sigma=3)
    assert (options["masks"], options["ifu"], options["overwrite"]) == ([Path("m.fits")], 7, True)


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["a.fits"], "the following arguments are required: -o"),
        (["a.fits", "-o", "out", "--least-sky", "2"], "least_sky is 2.0; expected a share from 0 to 1"),
        (["a.fits", "-o", "out"], "a.fits: no such file"),
    ],
)
def test_bad_usage_and_bad_files_end_with_2_and_one_line(words, match, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["sky-mask", *words]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: ")
    assert match in last
