"""What a killed writer leaves is removed, what a running one needs is not."""

from __future__ import annotations

import os
import subprocess
import sys

from napari_kmos.io import atomic_path
from napari_kmos.io.atomic import remove_leftovers


def test_leftovers_of_killed_writers_are_removed(tmp_path):
    """Only temporary files of processes that are gone, at any depth."""
    code = (
        "import os, signal, sys; from napari_kmos.io import atomic_path\n"
        "with atomic_path(sys.argv[1]) as path:\n"
        "    path.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    (tmp_path / "deep").mkdir()
    subprocess.run([sys.executable, "-c", code, tmp_path / "deep" / "cube.fits"], check=False)
    (left,) = (tmp_path / "deep").iterdir()
    assert left.name.startswith(".cube.")
    (tmp_path / "partial.fits").touch()
    (tmp_path / ".hidden").touch()
    with atomic_path(tmp_path / "mine.fits") as mine:
        mine.touch()
        remove_leftovers(tmp_path)
        assert mine.exists()
        assert f".{os.getpid()}-" in mine.name
    assert {path.name for path in tmp_path.rglob("*")} == {"deep", "partial.fits", ".hidden", "mine.fits"}
