"""Which extensions of a file belong together: flux, noise and quality, in the layouts of several instruments."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from napari_kmos.errors import GeometryError, NotKmosError
from napari_kmos.io._quality import ANY, DO_NOT_USE, ONES_ARE_GOOD, Flags

if TYPE_CHECKING:
    from astropy.io import fits

    from napari_kmos.io._extensions import Extension

#: Names of flux extensions, after a dot or alone, and how the quality extension beside them is meant.
#: DATA: KMOS, MUSE; SCI: JWST; FLUX: MaNGA.
FLUX_NAMES: Mapping[str, Flags] = MappingProxyType({"DATA": ANY, "SCI": DO_NOT_USE, "FLUX": ANY})
#: Names of noise extensions and what they hold.
NOISE_NAMES: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(("NOISE", "ERR", "ERROR", "ERRORS", "SIGMA", "STDDEV", "UNCERT", "UNCERTAINTY"), "sigma")
    | dict.fromkeys(("STAT", "VAR", "VARIANCE"), "variance")
    | {"IVAR": "inverse variance"}
)
QUALITY_NAMES = frozenset({"DQ", "QUALITY", "BADPIX"})
#: An image of how the noise of neighbouring spaxels is correlated.
CORRELATION_NAME = "CORRELATION"
#: What else is known by name and is no cube to look at.
_OTHERS: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(("WMAP", "WHT", "WEIGHT", "WEIGHTS", "ERRWEIGHT"), "weights")
    | dict.fromkeys(("EXP", "EXPMAP", "EXPTIME", "COVERAGE"), "exposure counts or times")
    | {"MASK": "a mask, and the header does not say which of its numbers are good"}
)
#: HDUCLAS3 of ESO's science data products: error and quality extensions.
_ESO_NOISE = {"MSE": "variance", "RMSE": "sigma", "INVMSE": "inverse variance", "INVRMSE": "inverse sigma"}
_ESO_QUALITY = {"MASKZERO": ANY, "MASKONE": ONES_ARE_GOOD}

_IFU_NAME = re.compile(r"^IFU\.(\d+)$")


@dataclass(frozen=True, slots=True)
class Role:
    """What an extension is (data, noise, quality, correlation or nothing known), of what, and what its numbers mean."""

    kind: str = ""
    target: str = ""
    holds: str = ""
    flags: Flags | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """The extensions of one cube or image; ``name`` is the target in their names, before the dot."""

    name: str
    ifu: int | None
    data: Extension
    noise: Extension | None
    holds: str
    quality: Extension | None
    flags: Flags
    correlation: Extension | None = None

    @property
    def parts(self) -> tuple[Extension, ...]:
        """The extensions there are."""
        return tuple(part for part in (self.data, self.noise, self.quality, self.correlation) if part is not None)


@dataclass(frozen=True, slots=True)
class Unused:
    """An extension that is not read, why not, and whether it could have been taken for a cube."""

    extension: Extension
    reason: str
    is_cube: bool = False

    def __str__(self) -> str:
        return f"{self.extension.label} ({self.reason})"


def find_groups(extensions: Sequence[Extension]) -> tuple[list[Group], list[Unused]]:
    """Return the extensions that belong together, and those that are not used.

    Flux is known by ESO's keywords (HDUCLASS), else by name. Where nothing is known as flux, every image with three
    axes or more is taken for it: a bare primary cube has no name.
    """
    roles = {extension.index: _role(extension) for extension in extensions}
    if not any(role.kind == "data" for role in roles.values()):
        roles |= {e.index: Role("data", e.name) for e in extensions if not roles[e.index].kind and _may_be_cube(e)}
    groups = [_group(extension, extensions, roles) for extension in extensions if roles[extension.index].kind == "data"]
    used = {part.index for group in groups for part in group.parts}
    rest = [extension for extension in extensions if extension.index not in used]
    return groups, [_unused(e, roles[e.index]) for e in rest if e.pixels is not None or e.is_table]


def _may_be_cube(extension: Extension) -> bool:
    return len(extension.shape) >= 3 and _split(extension.name)[1] not in _OTHERS


def _group(data: Extension, extensions: Sequence[Extension], roles: Mapping[int, Role]) -> Group:
    """Find noise and quality of one flux extension: of its name, or without one where there is no other flux."""
    target = roles[data.index].target
    all_data = [role for role in roles.values() if role.kind == "data"]
    targets = (target, "") if len(all_data) == 1 else (target,)
    is_one = sum(role.target == target for role in all_data) == 1

    def partner(kind: str) -> Extension | None:
        fitting = [e for e in extensions if roles[e.index].kind == kind and roles[e.index].target in targets]
        return next((e for e in fitting if is_one or e.version == data.version), None)

    noise, quality = partner("noise"), partner("quality")
    flags = None if quality is None else roles[quality.index].flags
    word = _split(data.name)[1]
    ifu = _IFU_NAME.match(target)
    return Group(
        name=target,
        ifu=int(ifu[1]) if ifu else None,
        data=data,
        noise=noise,
        holds="" if noise is None else roles[noise.index].holds,
        quality=quality,
        flags=flags or FLUX_NAMES.get(word, ANY),
        correlation=partner("correlation"),
    )


def _role(extension: Extension) -> Role:
    """Tell what an extension is: by ESO's keywords, else by its name."""
    if extension.is_table:
        return Role()
    eso = _eso_role(extension.header, extension.name)
    if eso is not None:
        return eso
    target, word = _split(extension.name)
    if word in FLUX_NAMES and (extension.index or extension.pixels is not None):
        return Role("data", target)
    if word in NOISE_NAMES:
        return Role("noise", target, NOISE_NAMES[word])
    if word == CORRELATION_NAME and len(extension.shape) == 2:
        return Role("correlation", target)
    return Role("quality", target) if word in QUALITY_NAMES else Role()


def _eso_role(header: fits.Header, name: str) -> Role | None:
    """Tell what an extension is by the keywords of ESO's science data products; None without them."""
    if str(header.get("HDUCLASS", "")).strip() != "ESO":
        return None
    kind = str(header.get("HDUCLAS2", "")).strip()
    meaning = str(header.get("HDUCLAS3", "")).strip()
    target = _target(str(header.get("SCIDATA", name)).strip())
    if kind == "DATA":
        return Role("data", _target(name))
    if kind == "ERROR" and meaning in _ESO_NOISE:
        return Role("noise", target, _ESO_NOISE[meaning])
    if kind == "QUALITY":
        bits = header.get("QUALMASK")
        mask = Flags(bits=bits) if isinstance(bits, int) and bits else ANY
        return Role("quality", target, flags=_ESO_QUALITY.get(meaning, mask))
    return None


def _split(name: str) -> tuple[str, str]:
    """Return target and last word of an extension's name, the word in capitals."""
    target, _, word = name.rpartition(".")
    return target, word.upper()


def _target(name: str) -> str:
    """Return the target in the name of a flux extension: what stands before the dot, or the whole name."""
    target, word = _split(name)
    return target if word in FLUX_NAMES else name


def _unused(extension: Extension, role: Role) -> Unused:
    """Say why an extension is not read."""
    word = _split(extension.name)[1]
    if extension.is_table:
        return Unused(extension, "a table")
    if word in _OTHERS:
        return Unused(extension, _OTHERS[word])
    if len(extension.shape) < 3:
        return Unused(extension, "a spectrum" if len(extension.shape) == 1 else "an image")
    reason = f"{role.kind} without its flux" if role.kind else "its name says neither flux nor noise nor quality"
    return Unused(extension, reason, is_cube=True)


def check_pairs(groups: Sequence[Group], unused: Sequence[Unused]) -> None:
    """Refuse files of the pipeline in which one extension of a pair is missing or of another shape.

    Raises
    ------
    NotKmosError
        If one is missing.
    GeometryError
        If their shapes differ.
    """
    for one in unused:
        if _split(one.extension.name)[1] == "NOISE" and one.is_cube:
            msg = f"{one.extension.where}: has no DATA extension beside it; one is missing, copy the file again"
            raise NotKmosError(msg)
    noises = {group.data.index: group.noise for group in groups if group.noise is not None}
    if not any(_split(noise.name)[1] == "NOISE" for noise in noises.values()):
        return
    for group in groups:
        shape = group.data.shape
        noise = noises.get(group.data.index)
        if shape and (noise is None or not noise.shape):
            msg = f"{group.data.where}: its NOISE extension is missing while others have theirs; copy the file again"
            raise NotKmosError(msg)
        if shape and noise is not None and noise.shape != shape:
            msg = f"{group.data.where}: DATA has shape {shape}, NOISE {noise.shape}; they must be equal"
            raise GeometryError(msg)
