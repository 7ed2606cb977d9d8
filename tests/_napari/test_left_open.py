"""A program that ends without closing its window, as a script or a notebook does, ends without a fault."""

import subprocess
import sys
from pathlib import Path

import pytest
from factories import make_cube

from napari_kmos.io import write_cube

pytestmark = pytest.mark.viewer

_SCRIPT = "import sys; from napari_kmos._napari.app import make_viewer; viewer = make_viewer(sys.argv[1:])"


def test_a_window_that_is_left_open_ends_with_its_program(tmp_path: Path):
    file = write_cube(make_cube(shape=(60, 13, 15), name="GC"), tmp_path / "GC.fits")
    command = [sys.executable, "-c", _SCRIPT, str(file)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    assert "Traceback" not in run.stderr
