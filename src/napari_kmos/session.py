"""What the docks of one viewer share: evented fields only; whoever changes one, all see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from psygnal import SignalGroupDescriptor

if TYPE_CHECKING:
    from napari_kmos.aperture import Aperture
    from napari_kmos.extract import ExtractParameters
    from napari_kmos.measure import StarMeasurement
    from napari_kmos.offset import Offset
    from napari_kmos.recipes.outcome import Outcome
    from napari_kmos.report.traces import Continuum, Look
    from napari_kmos.spectral.windows import Window
    from napari_kmos.spectrum import SpectralLine, StarSpectrum


@dataclass(eq=False, kw_only=True)
class Session:
    """State of the work on a set of open files.

    Every field emits ``session.events.<field>`` when it is replaced. Nothing here computes, and nothing is lost when a
    step fails or a dock is closed.

    Parameters
    ----------
    apertures : tuple of Aperture
        Stars and sky areas, in the order they were made.
    selected : tuple of str
        Ids of the selected apertures.
    snapping : str
        One of `spatial.snapping.SNAPPING`: where on a star a click puts an aperture.
    hovering : str
        What the spectrum beneath the cursor is of: ``"spaxel"``, ``"aperture"``, or ``"nothing"``.
    fwhm_arcsec : float
        Width of a star, as typed or measured.
    extract_method : str
        A key of ``EXTRACT_METHODS``.
    extract_parameters : ExtractParameters, optional
        Sky and limits; the defaults if None.
    spectra : tuple of StarSpectrum
        All spectra of the list, as they were extracted the last time, cube by cube.
    snr_before : mapping of str to float
        SNR by id, as it was the time before.
    plotted : tuple of Path
        Files of spectra, tables and folders of them, that the plot shows.
    plots_live, plots_list : bool
        Whether it shows the selected stars as they are seen, and all spectra of the list.
    look : Look, optional
        How spectra are looked at; the defaults if None.
    continua : mapping of str to Continuum
        How the continuum of a star is found, by its id.
    snr_um : tuple of tuple of float
        Windows of the SNR; those of the band if there is none.
    fit_um : tuple of float, optional
        Window of the line that is fitted.
    fit_profile : str
        One of ``measure.PROFILES``.
    lines : tuple of SpectralLine, optional
        Lines that are marked and measured; the packaged list if None.
    velocity_kms : float
        By which their marks are moved.
    measured : tuple of StarMeasurement
        The table of results.
    lines_file : Path, optional
        Where the lines were last read from or written to.
    offsets : tuple of Offset
        Accepted corrections, a row an exposure and IFU.
    objects, skies, inputs : tuple of Path
        Files chosen for the sky tweak, and those for the combination.
    line_um : tuple of float, optional
        Line window of the maps in micron.
    continuum_um : tuple of tuple of float
        Their continuum windows.
    offsets_file, apertures_file : Path, optional
        Where offsets and apertures were last read from or written to.
    out_dir : Path
        Folder for products.
    outcomes : mapping of str to Outcome
        What each step gave back the last time, by its name.
    """

    apertures: tuple[Aperture, ...] = ()
    selected: tuple[str, ...] = ()
    snapping: str = "centroid"
    hovering: str = "spaxel"
    fwhm_arcsec: float = 0.7
    extract_method: str = "aperture"
    extract_parameters: ExtractParameters | None = None
    spectra: tuple[StarSpectrum, ...] = ()
    snr_before: Mapping[str, float] = field(default_factory=dict)
    plotted: tuple[Path, ...] = ()
    plots_live: bool = True
    plots_list: bool = False
    look: Look | None = None
    continua: Mapping[str, Continuum] = field(default_factory=dict)
    snr_um: tuple[Window, ...] = ()
    fit_um: Window | None = None
    fit_profile: str = "gaussian"
    lines: tuple[SpectralLine, ...] | None = None
    velocity_kms: float = 0.0
    measured: tuple[StarMeasurement, ...] = ()
    lines_file: Path | None = None
    offsets: tuple[Offset, ...] = ()
    objects: tuple[Path, ...] = ()
    skies: tuple[Path, ...] = ()
    inputs: tuple[Path, ...] = ()
    line_um: Window | None = None
    continuum_um: tuple[Window, ...] = ()
    offsets_file: Path | None = None
    apertures_file: Path | None = None
    out_dir: Path = Path("kmos_products")
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()
