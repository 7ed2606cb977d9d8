"""Folders are looked into near where somebody pointed, and no further."""

from __future__ import annotations

from pathlib import Path

from napari_kmos.recipes.folders import files_below


def test_folders_of_epochs_are_found_and_the_whole_disk_is_not(tmp_path: Path):
    names = ["spec_a.fits", "epoch1/spec_b.fits", "epoch1/k/spec_c.fits", "epoch1/k/deep/spec_d.fits", ".x/spec_e.fits"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "spec_folder.fits").mkdir()
    (tmp_path / "spec_gone.fits").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path)

    found = [path.relative_to(tmp_path).as_posix() for path in files_below(tmp_path, "spec_*.fits", depth=2)]

    assert [name for name in found if not name.startswith("loop")] == [
        "epoch1/k/spec_c.fits",
        "epoch1/spec_b.fits",
        names[0],
    ]
    assert [path.name for path in files_below(tmp_path, "spec_*.fits", depth=0)] == ["spec_a.fits"]
    assert files_below(tmp_path / "nowhere", "*") == []
