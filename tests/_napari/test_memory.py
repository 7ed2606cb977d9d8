"""No action in the viewer needs more than 1 GiB above the viewer at rest."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from large_files import linux_only, run_python, write_sparse_mosaic

#: So few that the test is quick, so many that flux or noise alone are more than the limit.
PLANES = 1024
# Run in a process of its own: the limit of its data is set when the viewer is shown, and cannot be taken back.
ACTIONS = """
import re, resource, sys, time
from pathlib import Path
import napari
from qtpy.QtWidgets import QApplication
from napari_kmos._napari.background import indexer_of
from napari_kmos._napari.commands import set_thickness
from napari_kmos._napari.layers import cube_layers, kmos_of
from napari_kmos._napari.line_maps import MAP
from napari_kmos._napari.white_light import white_light_of
from napari_kmos._napari.widgets.maps import MapsDock
from napari_kmos._napari.widgets.spectra import SpectraDock
from napari_kmos.aperture import Aperture
from napari_kmos.spatial.wcs import pixel_to_sky

def wait(is_done, seconds=120):
    until = time.monotonic() + seconds
    while not is_done():
        QApplication.processEvents()
        assert time.monotonic() < until, "nothing came"

def rest(seconds=0.5):
    until = time.monotonic() + seconds
    wait(lambda: time.monotonic() > until)

def seen():
    rest(0.05)
    return viewer.screenshot(canvas_only=True, flash=False)[..., :3].max() > 100

viewer = napari.Viewer()
for name, kind in (("Spectra", SpectraDock), ("Maps", MapsDock)):
    viewer.window.add_plugin_dock_widget("napari-kmos", name)
spectra, maps = (viewer.window._qt_window.findChild(kind) for kind in (SpectraDock, MapsDock))
rest()
idle = 1024 * int(re.search(r"VmData:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
resource.setrlimit(resource.RLIMIT_DATA, (idle + int(sys.argv[2]),) * 2)

(layer,) = viewer.open(sys.argv[1], plugin="napari-kmos")
cube = kmos_of(layer).cube
assert seen()
print("opened")
for plane in (64, 65, 320, 640, 960):
    viewer.dims.set_current_step(0, plane)
    assert seen()
print("slider")
white = white_light_of(viewer)
white.show([layer])
wait(lambda: not white.is_running)
assert seen()
white.hide()
print("white light")
set_thickness(viewer, 500)
assert seen()
set_thickness(viewer, 1)
print("thick slice")
ra, dec = pixel_to_sky(cube.wcs, cube.shape[1] // 2 + 4, cube.shape[2] // 2)
spectra.sync.show([Aperture(id="1", kind="star", ra=float(ra), dec=float(dec), radius_arcsec=0.25)])
spectra.sync.select(("1",))
wait(lambda: spectra.plot.spectra)
print("aperture")
maps.session.line_um, maps.session.continuum_um = (2.1, 2.2), ((2.05, 2.09), (2.21, 2.25))
maps.make()
wait(lambda: any(MAP in layer.metadata for layer in viewer.layers))
print("line map")
indexer_of(viewer).cancel()
wait(lambda: not indexer_of(viewer).is_running)
try:
    cube.flux.compute()
except MemoryError:
    print("limit")
viewer.close()
"""


@pytest.mark.viewer
@linux_only
def test_actions_on_a_mosaic(tmp_path: Path):
    mosaic = write_sparse_mosaic(tmp_path / "mosaic.fits", planes=PLANES)
    done = run_python(["-c", ACTIONS, mosaic, 2**30])
    expected = ["opened", "slider", "white light", "thick slice", "aperture", "line map", "limit"]
    shutil.rmtree(tmp_path)
    assert (done.stdout.split("\n")[:-1], done.returncode) == (expected, 0), done.stderr
