"""Keys of the canvas are taken for a while, and given back."""

from __future__ import annotations

import pytest
from app_model.types import KeyBinding
from napari.components import ViewerModel

from napari_kmos._napari.keys import Keys, arrow_keys


def press(viewer: ViewerModel, key: str) -> None:
    viewer.keymap[KeyBinding.from_str(key)](viewer)


@pytest.mark.parametrize(("modifier", "factor"), [("", 1.0), ("Shift+", 0.1), ("Ctrl+", 10.0)])
def test_arrows_nudge_by_a_step_a_tenth_or_ten(modifier: str, factor: float):
    viewer, steps = ViewerModel(), []
    Keys(viewer, arrow_keys(lambda east, north: steps.append((east, north)))).take()
    for key in ("Left", "Right", "Up", "Down"):
        press(viewer, modifier + key)
    assert steps == [(factor, 0), (-factor, 0), (0, factor), (0, -factor)]  # east is left


def test_what_was_bound_before_comes_back():
    viewer, pressed = ViewerModel(), []
    viewer.bind_key("Left", lambda _viewer: pressed.append("before"))
    keys = Keys(viewer, {"Left": lambda: pressed.append("ours"), "K": lambda: pressed.append("ours")})
    keys.take()
    keys.take()
    press(viewer, "Left")
    keys.release()
    press(viewer, "Left")
    assert pressed == ["ours", "before"]
    assert viewer.keymap.get(KeyBinding.from_str("K")) is None


def test_who_takes_a_key_again_has_it_before_those_who_took_it_since():
    viewer, pressed = ViewerModel(), []
    first, other = (Keys(viewer, {"K": lambda number=number: pressed.append(number)}) for number in (0, 1))
    for keys in (first, other, first):
        keys.take()
        press(viewer, "K")
    first.release()
    press(viewer, "K")
    assert pressed == [0, 1, 0, 1]
    other.release()
    assert viewer.keymap.get(KeyBinding.from_str("K")) is None


@pytest.mark.parametrize("first_released", [0, 1])
def test_the_last_to_take_a_key_has_it_whoever_gives_it_back_first(first_released):
    viewer, pressed = ViewerModel(), []
    both = [Keys(viewer, {"K": lambda number=number: pressed.append(number)}) for number in (0, 1)]
    for keys in both:
        keys.take()
    press(viewer, "K")
    both[first_released].release()
    press(viewer, "K")
    assert pressed == [1, 1 - first_released]
    both[1 - first_released].release()
    assert viewer.keymap.get(KeyBinding.from_str("K")) is None
