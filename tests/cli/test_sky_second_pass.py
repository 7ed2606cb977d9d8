"""The command sky-second-pass: its options become the recipe's."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_kmos.cli import sky_second_pass as command
from napari_kmos.cli.main import main
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.sky import SecondPassParameters


@pytest.fixture
def called(monkeypatch):
    """Calls of the recipe, which does nothing."""
    calls = []

    def recipe(*args, **options):
        options.pop("progress")
        calls.append((args, options))
        ifus = {"3": {"before": 8.2, "after": 1.31, "from": [5, 7]}, "4": {"before": 2.0}}
        return Outcome(
            products=(Path("a_SECOND_PASS.fits"),),
            measured={"a_SECOND_PASS.fits": {"exposure": "a.fits", "ifus": ifus}},
        )

    monkeypatch.setattr(command, "sky_second_pass", recipe)
    return calls


def test_defaults_and_what_is_told(called, capsys):
    assert main(["sky-second-pass", "a.fits", "b.fits", "-o", "out"]) == 0
    (((files, out), options),) = called
    assert (files, out) == ([Path("a.fits"), Path("b.fits")], Path("out"))
    assert options == {"sources": (), "parameters": SecondPassParameters(), "overwrite": False}
    assert capsys.readouterr().out.splitlines()[1:] == [
        "a.fits 3: residual over noise 8.20 -> 1.31, from IFU 5, 7",
        "a.fits 4: residual over noise 2.00",
    ]


def test_options(called):
    words = ["--from", "3,5,7", "--empty-share", "0.3", "--overwrite"]
    assert main(["sky-second-pass", "a.fits", "-o", "out", *words]) == 0
    ((_, options),) = called
    assert options["sources"] == (3, 5, 7)
    assert options["parameters"] == SecondPassParameters(empty_share=0.3)
    assert options["overwrite"]


@pytest.mark.parametrize(
    ("words", "match"),
    [(["--from", "3,x"], "'3,x' is not a list of IFUs"), (["--empty-share", "2"], "empty_share is 2.0")],
)
def test_bad_values_are_one_line(called, words, match, capsys):
    assert main(["sky-second-pass", "a.fits", "-o", "out", *words]) == 2
    assert match in capsys.readouterr().err.splitlines()[-1]
    assert called == []
