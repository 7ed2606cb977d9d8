"""What there is one of for each viewer."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeVar
from weakref import WeakKeyDictionary

from napari.components import ViewerModel

Made = TypeVar("Made")


def once_a_viewer(make: Callable[[ViewerModel], Made]) -> Callable[[ViewerModel], Made]:
    """Let a function make something when a viewer first asks for it, and return that from then on.

    It goes with the viewer, which it may therefore not hold but by a weak reference.
    """
    made: WeakKeyDictionary[ViewerModel, Made] = WeakKeyDictionary()

    @functools.wraps(make)
    def of(viewer: ViewerModel) -> Made:
        if viewer not in made:
            made[viewer] = make(viewer)
        return made[viewer]

    return of
