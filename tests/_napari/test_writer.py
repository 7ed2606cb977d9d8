from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_kmos._napari import writer
from napari_kmos._napari.points import ensure_points_layer
from napari_kmos._napari.reader import add_file
from napari_kmos.errors import ExtractionError, GeometryError
from napari_kmos.io import read_apertures, read_cube


@pytest.fixture
def viewer(exposure_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> ViewerModel:
    viewer = ViewerModel()
    add_file(viewer, exposure_file(ifus=(5,)))
    monkeypatch.setattr(writer.napari, "current_viewer", lambda: viewer)
    return viewer


@pytest.mark.parametrize("suffix", [".ecsv", ".reg"])
def test_points_become_apertures(viewer: ViewerModel, tmp_path: Path, suffix: str):
    layer = ensure_points_layer(viewer, "sky")
    layer.add([[0.2, 0.4], [-0.6, 0.1]])
    layer.features = {"id": ["s1", "s2"]}
    data, attributes, _ = layer.as_layer_data_tuple()
    (path,) = writer.write_apertures_layer(str(tmp_path / f"sky{suffix}"), data, attributes)
    found = read_apertures(path)
    assert [(one.id, one.kind) for one in found] == [("s1", "sky"), ("s2", "sky")]
    assert [one.radius_arcsec for one in found] == pytest.approx([0.3, 0.3])
    assert (found[1].dec - found[0].dec) * 3600 == pytest.approx(0.8, abs=1e-4)  # the canvas counts southwards


def test_points_without_a_cube_have_no_place_on_the_sky(viewer: ViewerModel, tmp_path: Path):
    viewer.layers.clear()
    with pytest.raises(ExtractionError, match="no place on the sky"):
        writer.write_apertures_layer(str(tmp_path / "a.ecsv"), np.zeros((1, 2)), {"size": 0.6})


def test_a_cube_layer_is_written_with_its_noise(viewer: ViewerModel, tmp_path: Path):
    layer = viewer.layers[0]
    data, attributes, _ = layer.as_layer_data_tuple()
    (path,) = writer.write_cube_layer(str(tmp_path / "cube.fits"), data, attributes)
    cube = read_cube(path)
    assert cube.shape == (40, 13, 15)
    np.testing.assert_array_equal(np.asarray(cube.noise), 1.0)
    with pytest.raises(GeometryError, match="shows no KMOS cube"):
        writer.write_cube_layer(str(tmp_path / "no.fits"), data, {"name": "picture", "metadata": {}})
