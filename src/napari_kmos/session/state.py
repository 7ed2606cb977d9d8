"""What the docks of one viewer share: evented fields only; whoever changes one, all see it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from psygnal import SignalGroupDescriptor

from napari_kmos.errors import KmosError

if TYPE_CHECKING:
    from napari_kmos.aperture import Aperture
    from napari_kmos.extract import ExtractParameters
    from napari_kmos.measure import StarMeasurement
    from napari_kmos.offset import Offset
    from napari_kmos.recipes.outcome import Outcome
    from napari_kmos.report.traces import Continuum, Look
    from napari_kmos.spectral.windows import Window
    from napari_kmos.spectrum import SpectralLine, StarSpectrum

_DECIDES, _IS_UNDONE = "decides", "is_undone"


def _decides(what: str, *, is_undone: bool = True) -> dict[str, Any]:
    """Return the metadata of a field that holds what a person decided, ``what`` in words; other fields are derived."""
    return {_DECIDES: what, _IS_UNDONE: is_undone}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """Where IFUs were put, and what was measured of them; files are named by their whole paths.

    Parameters
    ----------
    offsets : tuple of Offset
        Where IFUs were put, and what was decided; those that stand where their headers say need none.
    proposals : tuple of Offset
        What was measured.
    """

    offsets: tuple[Offset, ...] = ()
    proposals: tuple[Offset, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PaintedMask:
    """Which spaxels of a sky exposure show stars, as somebody painted or read it.

    Parameters
    ----------
    file : str
        Whole path of the sky exposure.
    ifu : int, optional
        1-24; None where the file does not tell.
    rows : tuple of str
        Rows of the image from its first one on, a letter a spaxel: ``1`` sky, ``0`` not.
    """

    file: str = field(metadata={"is_file": True})
    ifu: int | None
    rows: tuple[str, ...]

    def __post_init__(self) -> None:
        if len({len(row) for row in self.rows}) != 1 or set("".join(self.rows)) - set("01"):
            msg = f"mask of {Path(self.file).name}, IFU {self.ifu}: expected rows of 0 and 1, all of one length"
            raise KmosError(msg)


@dataclass(eq=False, kw_only=True)
class Session:
    """State of the work on a set of open files.

    Every field emits ``session.events.<field>`` when it is replaced. Nothing here computes, and nothing is lost when a
    step fails or a dock is closed. Fields that hold decisions say so themselves: these are kept on disk, and undone.

    Parameters
    ----------
    files : tuple of Path
        Files that are open, whole paths; those too that are asked for and not there.
    row_files : tuple of Path
        Files that are aligned without being open.
    layout : str
        How they are drawn: ``"sky"`` or ``"sheet"``.
    forms : mapping of str to mapping
        What was typed and chosen in the docks that is no field here: values by the name of a field, by the dock.
    painted : tuple of PaintedMask
        Star masks of sky exposures that were painted or read.
    apertures : tuple of Aperture
        Stars and sky areas, in the order they were made.
    selected : tuple of str
        Ids of the selected apertures.
    radius_arcsec : float
        Of new apertures.
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
    alignment : Alignment
        Offsets of IFUs with what was decided of them, and proposals.
    offsets : tuple of Offset
        Those of the alignment by the short names of their files, a row an exposure and IFU.
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

    files: tuple[Path, ...] = field(default=(), metadata=_decides("open files", is_undone=False))
    row_files: tuple[Path, ...] = field(default=(), metadata=_decides("aligned files"))
    layout: str = field(default="sky", metadata=_decides("arrangement", is_undone=False))
    forms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, metadata=_decides("settings"))
    painted: tuple[PaintedMask, ...] = field(default=(), metadata=_decides("painted star masks"))
    apertures: tuple[Aperture, ...] = field(default=(), metadata=_decides("stars and sky areas"))
    selected: tuple[str, ...] = ()
    radius_arcsec: float = field(default=0.3, metadata=_decides("radius of new stars"))
    snapping: str = field(default="centroid", metadata=_decides("snapping"))
    hovering: str = "spaxel"
    fwhm_arcsec: float = field(default=0.7, metadata=_decides("width of a star"))
    extract_method: str = field(default="aperture", metadata=_decides("method of extraction"))
    extract_parameters: ExtractParameters | None = field(default=None, metadata=_decides("extraction"))
    spectra: tuple[StarSpectrum, ...] = ()
    snr_before: Mapping[str, float] = field(default_factory=dict)
    plotted: tuple[Path, ...] = field(default=(), metadata=_decides("plotted files"))
    plots_live: bool = field(default=True, metadata=_decides("plot of what is seen"))
    plots_list: bool = field(default=False, metadata=_decides("plot of the list"))
    look: Look | None = field(default=None, metadata=_decides("look of the plot"))
    continua: Mapping[str, Continuum] = field(default_factory=dict, metadata=_decides("continuum"))
    snr_um: tuple[Window, ...] = field(default=(), metadata=_decides("windows of the SNR"))
    fit_um: Window | None = field(default=None, metadata=_decides("window of the line fit"))
    fit_profile: str = field(default="gaussian", metadata=_decides("profile of the line fit"))
    lines: tuple[SpectralLine, ...] | None = field(default=None, metadata=_decides("line list"))
    velocity_kms: float = field(default=0.0, metadata=_decides("velocity of the marks"))
    measured: tuple[StarMeasurement, ...] = ()
    lines_file: Path | None = field(default=None, metadata=_decides("file of lines", is_undone=False))
    alignment: Alignment = field(default=Alignment(), metadata=_decides("alignment"))
    offsets: tuple[Offset, ...] = ()
    objects: tuple[Path, ...] = field(default=(), metadata=_decides("object exposures"))
    skies: tuple[Path, ...] = field(default=(), metadata=_decides("sky exposures"))
    inputs: tuple[Path, ...] = field(default=(), metadata=_decides("exposures to combine"))
    line_um: Window | None = field(default=None, metadata=_decides("window of the map"))
    continuum_um: tuple[Window, ...] = field(default=(), metadata=_decides("continuum of the map"))
    offsets_file: Path | None = field(default=None, metadata=_decides("file of offsets", is_undone=False))
    apertures_file: Path | None = field(default=None, metadata=_decides("file of apertures", is_undone=False))
    out_dir: Path = field(default=Path("kmos_products"), metadata=_decides("folder for products"))
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()


@functools.cache
def kinds_of_decisions(*, undone: bool = False) -> Mapping[str, str]:
    """Return the names of the fields that hold decisions with what each decides, or of those only that are undone."""
    fields = [one for one in dataclasses.fields(Session) if _DECIDES in one.metadata]
    return {one.name: one.metadata[_DECIDES] for one in fields if one.metadata[_IS_UNDONE] or not undone}


def decisions(session: Session, *, undone: bool = False) -> dict[str, Any]:
    """Return all that was decided in a session, by the name of the field; of that only what is undone, if asked for."""
    return {name: getattr(session, name) for name in kinds_of_decisions(undone=undone)}
