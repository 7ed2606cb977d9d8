"""What the user sets about esorex."""

from __future__ import annotations

import os

import pytest

from napari_kmos.errors import EngineError
from napari_kmos.esorex import EsorexOptions, check_engine, parse_recipe_options


def test_recipe_options_keep_what_follows_the_first_equals_sign():
    assert parse_recipe_options(["a=1", "--range=1.2,1.5;x=3", "c="]) == {"a": "1", "range": "1.2,1.5;x=3", "c": ""}


@pytest.mark.parametrize("text", ["stretch", "=3", "a b=3", "3=a"])
def test_recipe_option_that_is_none(text):
    with pytest.raises(EngineError, match="expected name=value"):
        parse_recipe_options([text])


def test_recipe_option_given_twice():
    with pytest.raises(EngineError, match="a is given twice, '1' and '2'"):
        parse_recipe_options(["a=1", "a=2"])


def test_environment_tells_what_is_not_said(monkeypatch, tmp_path):
    monkeypatch.setenv("NAPARI_KMOS_ESOREX", "/opt/esorex")
    monkeypatch.setenv("ESOREX_RECIPE_DIR", os.pathsep.join(["/a", "/b"]))
    assert EsorexOptions().chosen_program == "/opt/esorex"
    assert EsorexOptions().chosen_dirs == ("/a", "/b")
    said = EsorexOptions(program="mine", recipe_dirs=(tmp_path,))
    assert (said.chosen_program, said.chosen_dirs) == ("mine", (str(tmp_path),))


def test_nothing_is_said(monkeypatch):
    monkeypatch.delenv("NAPARI_KMOS_ESOREX", raising=False)
    monkeypatch.delenv("ESOREX_RECIPE_DIR", raising=False)
    assert EsorexOptions().chosen_program is None
    assert EsorexOptions().chosen_dirs == ()


def test_no_recipe_at_once():
    with pytest.raises(EngineError, match="expected one recipe at once or more"):
        EsorexOptions(jobs=0)


def test_engine():
    assert check_engine("esorex", None)
    assert not check_engine("native", EsorexOptions(jobs=2))
    with pytest.raises(EngineError, match="choose one of native, esorex"):
        check_engine("reflex", None)
    with pytest.raises(EngineError, match="a dry run is for ESO's recipes"):
        check_engine("native", EsorexOptions(dry_run=True))
    with pytest.raises(EngineError, match="recipe option a is for ESO's recipes"):
        check_engine("native", EsorexOptions(recipe_options={"a": "1"}))
