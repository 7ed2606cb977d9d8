"""What a user can ask of the whole viewer; the docks and the menus call these."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer
from napari.viewer import Viewer

from napari_kmos._napari.errors import notified
from napari_kmos._napari.frames import SHEET, is_scattered
from napari_kmos._napari.layers import (
    active_layer,
    contrast_limits,
    cube_layers,
    kmos_layers,
    kmos_of,
    planes_of,
)
from napari_kmos._napari.points import read_points, show_points
from napari_kmos._napari.positions import layout_of, other_layout, show_layout
from napari_kmos._napari.session import session_of
from napari_kmos._napari.under import cube_holding

#: What stands beside the slider where its plane is not what is shown.
WHITE = "white light"


def set_north_up(viewer: ViewerModel) -> None:
    """Draw north up and east left, and say so: scale bar in arcsec, everything in view."""
    viewer.scene.camera.orientation2d = ("down", "right")  # our layers count southwards and westwards
    viewer.dims.ndisplay = 2
    viewer.canvas.overlays.scale_bar.visible = True
    look_at_all(viewer)


def switch_layout(viewer: ViewerModel) -> None:
    """Switch between the IFUs on the sky and the contact sheet."""
    apertures = read_points(viewer)
    show_layout(viewer, other_layout(layout_of(viewer)))
    session_of(viewer).layout = layout_of(viewer)
    show_points(viewer, apertures)
    look_at_all(viewer)


def look_at_all(viewer: ViewerModel) -> None:
    """Bring all cubes and images into view; what is drawn over them may still lie where they were."""
    viewer.reset_view(layers=kmos_layers(viewer) or None)


def look_at_star(viewer: ViewerModel, ra: float, dec: float) -> None:
    """Bring a position in degrees into the middle of the view, if a visible cube holds it."""
    found = cube_holding(viewer, ra, dec)
    if found is not None:
        camera = viewer.scene.camera
        camera.center = (*camera.center[:-2], *(float(one) for one in found.shown.frame.to_canvas(ra, dec)))


def sheet_if_scattered(viewer: ViewerModel, added: Sequence[Layer]) -> None:
    """Draw the contact sheet if layers just added made what lay together on the sky lie scattered over it.

    And if one of them can be drawn on the sheet only.
    """
    if layout_of(viewer) == SHEET:
        return
    fields = {layer: [(one.product.wcs, one.shape) for one in kmos_of(layer).parts] for layer in kmos_layers(viewer)}
    before = [field for layer, some in fields.items() if layer not in added for field in some]
    was_scattered = bool(before) and is_scattered(before)
    is_now = is_scattered([field for some in fields.values() for field in some])
    if (is_now and not was_scattered) or any(kmos_of(layer).layout == SHEET for layer in added):
        switch_layout(viewer)


def switch_layout_here(viewer: Viewer) -> None:
    """Menu command of `switch_layout`."""
    with notified():
        switch_layout(viewer)


def set_north_up_here(viewer: Viewer) -> None:
    """Menu command of `set_north_up`."""
    set_north_up(viewer)


def wavelengths_um(viewer: ViewerModel) -> np.ndarray | None:
    """Return the wavelengths of the planes of the cube the user looks at, in micron; None without one."""
    layer = active_layer(viewer)
    return None if layer is None else kmos_of(layer).parts[0].cube.wavelength_um


def current_plane(viewer: ViewerModel) -> int:
    """Return the plane the slider shows."""
    return viewer.dims.current_step[-3] if viewer.dims.ndim >= 3 else 0


def current_wavelength(viewer: ViewerModel) -> float:
    """Return the wavelength of the plane the slider shows, in micron; NaN without one."""
    grid, plane = wavelengths_um(viewer), current_plane(viewer)
    return float(grid[plane]) if grid is not None and 0 <= plane < len(grid) else float("nan")


def show_wavelength(viewer: ViewerModel, wavelength_um: float) -> None:
    """Move the slider to the plane nearest to a wavelength."""
    grid = wavelengths_um(viewer)
    if grid is not None and viewer.dims.ndim >= 3:
        viewer.dims.set_current_step(viewer.dims.ndim - 3, int(np.argmin(np.abs(grid - wavelength_um))))


def is_white(layer: Layer) -> bool:
    """Tell whether a cube layer shows an image in place of its planes."""
    return any(part.image is not None for _, part in planes_of(layer))


def label_slider(viewer: ViewerModel) -> None:
    """Write what is shown, a wavelength or white light, beside the slider: there napari names its axis."""
    layer, axis = active_layer(viewer), viewer.dims.ndim - 3
    if axis < 0:
        return
    if layer is None:
        text = viewer.layers.axis_labels[axis]
    else:
        text = WHITE if is_white(layer) else f"{current_wavelength(viewer):.5f} µm"
    if viewer.dims.axis_labels[axis] != text:
        viewer.dims.set_axis_label(axis, text)


def set_thickness(viewer: ViewerModel, n_planes: int) -> None:
    """Show some planes about that of the slider together, NaN left out; 1 shows the plane alone.

    These are napari's own thick slices: the margins of the spectral axis, and the projection mode of each layer, which
    is the mean unless the user chooses another one.
    """
    axis = viewer.dims.ndim - 3
    if axis < 0 or n_planes == thickness(viewer):
        return
    modes = {layer: layer.projection_mode for layer in cube_layers(viewer)}
    for layer in modes:
        layer.projection_mode = "none"  # so that nothing is put together on the way
    for name, margin in (("margin_left", n_planes // 2), ("margin_right", (n_planes - 1) // 2)):
        margins = list(getattr(viewer.dims, name))
        margins[axis] = margin
        setattr(viewer.dims, name, margins)
    for layer, mode in modes.items():
        layer.projection_mode = "mean" if mode == "none" else mode


def thickness(viewer: ViewerModel) -> int:
    """Return how many planes are shown together."""
    axis = viewer.dims.ndim - 3
    return 1 if axis < 0 else round(viewer.dims.margin_left[axis] + viewer.dims.margin_right[axis]) + 1


def stretch_to_screen(viewer: ViewerModel) -> None:
    """Take the contrast limits of each visible image of ours from what of it is on the screen."""
    margin, plane = thickness(viewer), current_plane(viewer)
    planes = plane if margin == 1 else slice(max(0, plane - margin // 2), plane + (margin - 1) // 2 + 1)
    for layer in kmos_layers(viewer):
        if layer.visible and viewer.dims.ndisplay == 2:
            (y0, x0), (y1, x1) = layer.corner_pixels[:, -2:]
            seen = layer.data[(planes, slice(y0, y1 + 1), slice(x0, x1 + 1))[-layer.ndim :]]
            if np.isfinite(seen).any():
                layer.contrast_limits = contrast_limits(np.ravel(seen))
