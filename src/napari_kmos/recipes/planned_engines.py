"""Which engine does the steps of a plan that ESO's pipeline has a recipe for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from napari_kmos.esorex import NATIVE, EsorexOptions, check_engine, find_esorex, parse_recipe_options
from napari_kmos.recipes import esorex_combine, esorex_sky
from napari_kmos.recipes.combine_tasks import CombineChoice
from napari_kmos.recipes.steps import STEPS, build_parameters

if TYPE_CHECKING:
    from napari_kmos.recipes.plan import Plan

_SKY, _COMBINE = "sky-tweak", "combine"
_RECIPES = {_SKY: esorex_sky.RECIPE, _COMBINE: esorex_combine.RECIPE}


def with_engine(plan: Plan, engine: str | None) -> Plan:
    """Return a plan all of whose steps are done by one engine, where it can; None leaves it as it is.

    The native engine is not told the options of recipes.
    """
    if engine is None:
        return plan
    said = {"engine": engine, **({"recipe_options": ()} if engine == NATIVE else {})}
    changed = {step: {**plan.settings.get(step, {}), **said} for step in _RECIPES}
    return dataclasses.replace(plan, settings={**plan.settings, **changed})


def engine_of(values: Mapping[str, Any], options: EsorexOptions) -> dict[str, Any]:
    """Return the engine of a step and what it is told, as the recipes take them.

    Raises
    ------
    EngineError
        If an option of the recipe is written in another way than ``name=value``.
    """
    told = dataclasses.replace(options, recipe_options=parse_recipe_options(values["recipe_options"]))
    return {"engine": values["engine"], "esorex": told}


def check_engines(plan: Plan, options: EsorexOptions) -> None:
    """Refuse, before hours of work, what ESO's recipes cannot do, where they are to do it.

    Raises
    ------
    EngineError
        If esorex, a recipe or one of its parameters is missing, or `kmos_combine` cannot do what the plan asks for.
    """
    for step, recipe in _RECIPES.items():
        chosen = plan.settings.get(step, {})
        values = {name: chosen.get(name, setting.default) for name, setting in STEPS[step].items()}
        engine = engine_of(values, options)
        if not check_engine(engine["engine"], engine["esorex"]):
            continue
        if step == _COMBINE:
            choice = CombineChoice(mosaic=values["mosaic"], zero_points=values["zero_points"])
            esorex_combine.check_choice(choice, build_parameters(step, chosen))
        find_esorex(options).manual(recipe).check(engine["esorex"].recipe_options)
