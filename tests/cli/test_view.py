"""`view` opens a window, or says what is missing for one."""

from __future__ import annotations

import sys
import types

import factories
import pytest

from napari_kmos.cli.main import main
from napari_kmos.io import write_cube


@pytest.fixture
def cube(tmp_path):
    return write_cube(factories.make_cube(shape=(4, 3, 5)), tmp_path / "cube.fits")


@pytest.fixture
def opened(monkeypatch):
    """What was opened, in place of a window."""
    calls = []
    monkeypatch.setitem(sys.modules, "napari_kmos._napari.app", types.SimpleNamespace(view=calls.append))
    return calls


def test_files_are_handed_to_the_viewer(cube, opened, monkeypatch):
    monkeypatch.setattr("napari_kmos.cli.view.window_problem", lambda: "")
    assert main(["view", str(cube), str(cube)]) == 0
    assert opened == [[cube, cube]]


def test_missing_window_is_told(cube, opened, monkeypatch, capsys):
    monkeypatch.setattr(
        "napari_kmos.cli.view.window_problem", lambda: "napari is not installed: pip install 'napari-kmos[all]'"
    )
    assert main(["view", str(cube)]) == 2
    assert capsys.readouterr().err == (
        "error: no window can be opened: napari is not installed: pip install 'napari-kmos[all]'\n"
    )
    assert opened == []


def test_bad_file_is_told_before_a_window_opens(tmp_path, opened, monkeypatch, capsys):
    monkeypatch.setattr("napari_kmos.cli.view.window_problem", pytest.fail)
    (tmp_path / "a.fits").write_text("no")
    assert main(["view", str(tmp_path / "a.fits")]) == 2
    assert "a.fits" in capsys.readouterr().err
    assert opened == []
