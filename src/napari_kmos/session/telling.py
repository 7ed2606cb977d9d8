"""What was done, in words, from what it changed."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_kmos.session.state import Alignment, kinds_of_decisions
from napari_kmos.words import counted

if TYPE_CHECKING:
    from napari_kmos.aperture import Aperture

_MOST_NAMES = 3
_LONGEST = 60


def tell_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Return in words what has changed, by the values of fields before and after."""
    return "; ".join(_tell(name, before[name], after[name]) for name in after)


def _tell(name: str, before: Any, after: Any) -> str:
    kind = kinds_of_decisions()[name]
    if name == "apertures":
        return _tell_apertures(before, after)
    if isinstance(after, Alignment):
        return _tell_alignment(before, after)
    if isinstance(after, Mapping):
        keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
        told = "; ".join(_tell_value(before.get(key), after.get(key)) for key in keys[:1])
        return f"{kind}, {_listed(keys)}: {told}"
    return f"{kind}: {_tell_value(before, after)}"


def _tell_value(before: Any, after: Any) -> str:
    """Return what a value has become: the fields of it that are others, if it has fields."""
    if isinstance(after, Mapping):
        known = before or {}
        return ", ".join(f"{key} {_short(one)}" for key, one in after.items() if known.get(key) != one)
    if not dataclasses.is_dataclass(after) or isinstance(after, type):
        return _short(after)
    before = type(after)() if before is None else before
    fields = [(one.name, getattr(before, one.name), getattr(after, one.name)) for one in dataclasses.fields(after)]
    return ", ".join(f"{name} {_tell_value(old, new)}" for name, old, new in fields if old != new) or "as before"


def _short(value: Any) -> str:
    """Return a value in few letters."""
    if value is None or value == () or value == "":
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Path):
        return value.name
    if isinstance(value, Sequence) and not isinstance(value, str):
        return _listed([_short(one) for one in value]) if len(value) <= _MOST_NAMES else f"{len(value)} of them"
    return str(getattr(value, "name", value))[:_LONGEST]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_MOST_NAMES]) + (
        f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    )


def _tell_apertures(before: Sequence[Aperture], after: Sequence[Aperture]) -> str:
    """Tell which stars and sky areas came, went, were moved or changed."""
    old, new = ({(one.kind, one.id): one for one in some} for some in (before, after))
    added, gone = [new[key] for key in new if key not in old], [old[key] for key in old if key not in new]
    if len(added) == len(gone) == 1 and _distance_arcsec(gone[0], added[0]) == 0:
        return f"named {_name(gone[0])} {added[0].id}"
    pairs = [(old[key], new[key]) for key in new if key in old and old[key] != new[key]]
    moved = [(first, second) for first, second in pairs if _distance_arcsec(first, second) > 0]
    others = [second for first, second in pairs if _distance_arcsec(first, second) == 0]
    parts = [f"{verb} {_names(some)}" for verb, some in (("added", added), ("removed", gone)) if some]
    if moved:
        by = max(_distance_arcsec(first, second) for first, second in moved)
        parts.append(f"moved {_names([one for _, one in moved])} by {by:.2f} arcsec")
    parts += [f"changed {_names(others)}"] if others else []
    return ", ".join(parts) or "order of stars"


def _tell_alignment(before: Alignment, after: Alignment) -> str:
    """Tell which offsets were decided, put elsewhere or measured."""
    parts = []
    for verb, old, new in (("offset", before.offsets, after.offsets), ("proposal", before.proposals, after.proposals)):
        known = {(one.file, one.ifu): one for one in old}
        changed = [one for one in new if known.pop((one.file, one.ifu), None) != one]
        if len(changed) == 1:
            one = changed[0]
            parts.append(f"IFU {one.ifu or ''} of {Path(one.file).stem} {one.decision or verb}")
        elif changed or known:
            parts.append(counted(len(changed) or len(known), verb))
    return ", ".join(parts) or "alignment"


def _name(one: Aperture) -> str:
    return f"{'star' if one.kind == 'star' else 'sky area'} {one.id}"


def _names(some: Sequence[Aperture]) -> str:
    return _name(some[0]) if len(some) == 1 else f"{len(some)} stars and sky areas"


def _distance_arcsec(first: Aperture, second: Aperture) -> float:
    """Return how far two places are from each other, on the tangent plane."""
    east = (second.ra - first.ra + 180) % 360 - 180
    return 3600 * math.hypot(east * math.cos(math.radians(first.dec)), second.dec - first.dec)
