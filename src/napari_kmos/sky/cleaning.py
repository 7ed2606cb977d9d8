"""Sky cubes without stars: where stars are, and the sky in their place."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.errors import GeometryError, KmosWarning, SkyError
from napari_kmos.instrument import ARMS, detector_of
from napari_kmos.sky._clean_survey import Survey, fill_values, good_voxels, load_spectra, starlight_in, survey_ifu
from napari_kmos.sky.cleaning_parameters import CleaningParameters
from napari_kmos.sky.methods import same_wavelengths

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.cube import Cube
    from napari_kmos.exposure import Exposure
    from napari_kmos.sky._level_spectra import SpaxelSpectra

    SkyMasks = Mapping[int | None, NDArray[np.bool_]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanedSky:
    """What was done to the sky cube of one IFU.

    Parameters
    ----------
    ifu : int, optional
        The IFU.
    name : str
        Its target.
    n_spaxels : int
        Spaxels with data.
    n_masked : int
        Those of them with stars, which were filled.
    n_voxels : int
        Single voxels, bad or without data, that were filled.
    crowded : bool
        Whether too few spaxels show sky: the fill is what all of them tend to without starlight.
    reference : int, optional
        IFU by whose sky the level of the sky was told in a crowded IFU; None where it was its own.
    light : float
        Starlight that even the darkest spaxels of a crowded IFU have, mean over the planes in the unit of the flux.
    """

    ifu: int | None
    name: str
    n_spaxels: int
    n_masked: int
    n_voxels: int
    crowded: bool
    reference: int | None
    light: float


class SkyCleaner:
    """Finds the stars in a sky exposure and puts sky in their place.

    Parameters
    ----------
    exposure : Exposure
        Sky exposure; its cubes are read one at a time, when they are needed.
    masks : mapping, optional
        IFU to image of bool, shape (n_y, n_x), True = sky: used as they are. Stars are looked for in IFUs without one.
    parameters : CleaningParameters, optional
        Thresholds; defaults if None.

    Raises
    ------
    SkyError
        If the exposure has several cubes of one IFU, or of none.
    GeometryError
        If a mask has not the shape of its cube.

    Notes
    -----
    A star has continuum and no sky lines, a spaxel with a higher gain has more of both. So the spectrum of each spaxel
    is fitted by the lines of the mean sky with a gain, a shift and a width of their own, beside anything smooth; the
    light that is left above that sky, mean over all planes, shows the stars: seeds at ``seed_sigma``, and all that
    touches them down to ``wing_sigma``. The level of the sky is that of the darkest spaxels that agree with each other.

    Spaxels with stars, bad voxels and gaps become the mean sky with gain, shift and width of their spaxel. Their noise
    is the error of that mean, of these terms, and the scatter of spaxels that show sky about such a model.

    Where fewer than ``least_sky`` of the spaxels show sky, the mean is what the spectra of all of them tend to where
    there is no starlight, what is smooth in it from the darkest alone; and another IFU, of the same detector if
    possible, tells by its continuum over its lines how much starlight there is even in the darkest.
    """

    def __init__(
        self, exposure: Exposure, *, masks: SkyMasks | None = None, parameters: CleaningParameters | None = None
    ) -> None:
        self.exposure = exposure
        self.parameters = parameters or CleaningParameters()
        self._cubes = {cube.ifu: cube for cube in exposure.cubes}
        if len(self._cubes) < len(exposure.cubes):
            msg = f"{exposure.label}: several cubes have the same IFU number or none; give a sky exposure"
            raise SkyError(msg)
        self._given = dict(masks or {})
        for ifu, mask in self._given.items():
            if ifu in self._cubes and mask.shape != self._cubes[ifu].shape[1:]:
                msg = (
                    f"{self._cubes[ifu].label}: sky mask has shape {mask.shape}, the cube {self._cubes[ifu].shape[1:]}"
                )
                raise GeometryError(msg)
        self._surveys: dict[int | None, Survey] = {}
        self._found: dict[int | None, _Finding] = {}
        self._done: dict[int | None, CleanedSky] = {}

    @property
    def masks(self) -> SkyMasks:
        """IFU to image of bool, shape (n_y, n_x), True = sky; spaxels without data are False."""
        return {ifu: self.mask(ifu) for ifu in self._cubes}

    @property
    def report(self) -> tuple[CleanedSky, ...]:
        """What was done to the cubes cleaned so far, in the order of the IFUs."""
        return tuple(self._done[ifu] for ifu in self._cubes if ifu in self._done)

    def mask(self, ifu: int | None) -> NDArray[np.bool_]:
        """Return which spaxels of an IFU show sky, shape (n_y, n_x).

        Raises
        ------
        SkyError
            If the exposure has no data for it.
        """
        return self._finding(self._cube(ifu)).survey.sky_mask

    def starlight(self, ifu: int | None) -> NDArray[np.float64]:
        """Return the light of an IFU that is not sky, by which stars are found: mean over the planes, shape (n_y, n_x).

        In the unit of the flux; NaN in spaxels without data.

        Raises
        ------
        SkyError
            If the exposure has no data for it.
        """
        return self._finding(self._cube(ifu)).survey.starlight()

    def n_masked(self, ifu: int | None) -> int:
        """Return how many spaxels of an IFU, of those with data, show stars.

        Raises
        ------
        SkyError
            If the exposure has no data for it.
        """
        return int(np.count_nonzero(~self._finding(self._cube(ifu)).survey.spaxels()))

    def clean(self, cube: Cube) -> Cube:
        """Return a cube of the exposure with sky in place of stars, bad voxels and gaps.

        Parameters
        ----------
        cube : Cube
            One of the cubes of the exposure, shape (n_wavelength, n_y, n_x); it is not modified.

        Returns
        -------
        Cube
            Same shape and unit, computed, float32, with noise. Planes and spaxels without data stay NaN; flux and noise
            of what shows sky stay as they are.

        Raises
        ------
        SkyError
            If the exposure has no such cube.
        """
        spectra = load_spectra(self._cube(cube.ifu))
        finding = self._finding(cube, spectra)
        survey = finding.survey
        fill, error = fill_values(spectra, survey, self.parameters)
        masked = np.broadcast_to(~survey.spaxels(), fill.shape)
        replaced = np.isfinite(fill) & (masked | ~good_voxels(spectra, fill, error, self.parameters))
        self._done[cube.ifu] = CleanedSky(
            ifu=cube.ifu,
            name=cube.name,
            n_spaxels=int(np.count_nonzero(survey.used)),
            n_masked=int(np.count_nonzero(~survey.spaxels())),
            n_voxels=int(np.count_nonzero(replaced & ~masked)),
            crowded=survey.crowded,
            reference=finding.reference,
            light=finding.light,
        )
        return _with_spectra(
            cube, survey.used, np.where(replaced, fill, spectra.flux), np.where(replaced, error, spectra.noise)
        )

    def _cube(self, ifu: int | None) -> Cube:
        if ifu not in self._cubes:
            have = ", ".join(str(number) for number in self._cubes) or "none"
            msg = f"{self.exposure.label}: no data for IFU {ifu}; IFUs with data: {have}"
            raise SkyError(msg)
        return self._cubes[ifu]

    def _finding(self, cube: Cube, spectra: SpaxelSpectra | None = None) -> _Finding:
        """Return what is found in an IFU, with the help of others where it is crowded."""
        if cube.ifu not in self._found:
            alone = self._survey(cube, spectra)
            self._found[cube.ifu] = self._compared(cube, alone) if alone.crowded and alone.has_data else _Finding(alone)
        return self._found[cube.ifu]

    def _survey(self, cube: Cube, spectra: SpaxelSpectra | None = None) -> Survey:
        """Return what an IFU tells by itself."""
        if cube.ifu not in self._surveys:
            read = load_spectra(cube) if spectra is None else spectra
            self._surveys[cube.ifu] = survey_ifu(cube, read, self._given.get(cube.ifu), self.parameters)
        return self._surveys[cube.ifu]

    def _compared(self, cube: Cube, alone: Survey) -> _Finding:
        """Return what is found in a crowded IFU when its sky is compared with that of others.

        With the nearest that is not crowded, of the same detector if there is one; where all are crowded, with the
        darkest, and how much starlight there is even in that is uncertain.
        """
        told = [(0.0, 0.0, cube.ifu)]
        for other in sorted(self._cubes.values(), key=lambda each: _distance(cube.ifu, each.ifu)):
            if other.ifu == cube.ifu or not same_wavelengths(cube.wavelength_um, other.wavelength_um):
                continue
            survey = self._survey(other)
            if not survey.has_data:
                continue
            light, error = starlight_in(alone.mean, survey.mean, self.parameters)
            if not survey.crowded:
                return _Finding(alone.compared(survey, light, error, self.parameters), other.ifu, max(0.0, light))
            told.append((light, error, other.ifu))
        light, error, ifu = max(told, key=lambda item: item[0])
        darkest = self._surveys[ifu]
        error = float(np.hypot(error, self.parameters.wing_share * darkest.typical_starlight))
        reference = None if ifu == cube.ifu else ifu
        compared = alone.compared(darkest, light, error, self.parameters)
        self._warn_of_stars(cube, compared)
        return _Finding(compared, reference, light)

    def _warn_of_stars(self, cube: Cube, survey: Survey) -> None:
        n_sky, n_used = (int(np.count_nonzero(mask)) for mask in (survey.sky_mask, survey.used))
        msg = (
            f"{self.exposure.label}: {cube.label}: only {n_sky} of {n_used} spaxels are free of stars, and no other "
            "IFU has more sky; its level is what the darkest spaxels tend to. Give another sky if you can."
        )
        warnings.warn(msg, KmosWarning, stacklevel=5)


@dataclass(frozen=True, slots=True, eq=False)
class _Finding:
    """What is found in an IFU, the IFU it was compared with, and the starlight this showed in the darkest spaxels."""

    survey: Survey
    reference: int | None = None
    light: float = 0.0


def _distance(ifu: int | None, other: int | None) -> tuple[bool, int]:
    """How far another IFU is: those of other detectors are further."""
    if ifu is None or other is None or not {ifu, other} <= set(ARMS):
        return True, 0
    return detector_of(ifu) != detector_of(other), abs(ifu - other)


def _with_spectra(cube: Cube, used: NDArray[np.bool_], flux: NDArray[np.float64], noise: NDArray[np.float64]) -> Cube:
    """Return a cube with other spectra in some spaxels."""
    cubes = []
    for old, new in ((cube.flux, flux), (cube.noise, noise)):
        changed = np.full(cube.shape, np.nan, dtype=np.float32) if old is None else np.array(old, dtype=np.float32)
        changed[:, used] = new
        cubes.append(changed)
    return dataclasses.replace(
        cube, flux=cubes[0], noise=cubes[1], noise_estimated=cube.noise_estimated or cube.noise is None
    )
