"""The table of verbs: complete, and what is derived from it names things that exist."""

import ast
import re
import sys
from importlib import import_module
from pathlib import Path

import pytest

import crypto_lakehouse.verbs
from crypto_lakehouse.verbs import DATASET_RUN, VERBS, Image, Verb, verb_of
from crypto_lakehouse.vocabulary import Step

PROJECT = Path(__file__).parents[2]
every_verb = pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.step.value)


def test_every_step_has_one_row() -> None:
    assert [verb.step for verb in VERBS] == list(Step)
    assert [verb_of(step).step for step in Step] == list(Step)


@every_verb
def test_a_verb_is_a_function_of_the_module_of_its_name(verb: Verb) -> None:
    assert callable(getattr(import_module(f"crypto_lakehouse.steps.{verb.step}"), verb.step.value))


@every_verb
def test_a_verb_says_in_one_sentence_what_it_does(verb: Verb) -> None:
    assert re.fullmatch(r"[A-Z][^.]+\.", verb.help)


def test_every_image_has_its_folder() -> None:
    assert [image for image in Image if not (PROJECT / "images" / image / "Dockerfile").is_file()] == []
    assert {verb.image for verb in VERBS} == set(Image)


def test_verbs_with_the_same_order_call_its_file_the_same() -> None:
    stems: dict[str, set[tuple[str, bool]]] = {}
    for verb in VERBS:
        stems.setdefault(verb.order, set()).add((verb.order_stem, verb.is_mapped))
    assert {order: len(found) for order, found in stems.items()} == dict.fromkeys(stems, 1)
    assert len({stem for found in stems.values() for stem in found}) == len(stems)


def test_the_verbs_of_a_stage_take_the_same_order_and_a_stage_needs_only_earlier_ones() -> None:
    earlier: list[str] = []
    for stage in DATASET_RUN:
        assert len({verb_of(step).order for step in stage.steps}) == 1
        assert set(stage.needs) <= set(earlier)
        earlier.append(stage.name)


def test_only_the_standard_library_is_needed() -> None:
    tree = ast.parse(Path(crypto_lakehouse.verbs.__file__).read_text(encoding="utf-8"))
    modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name for name in modules if name.partition(".")[0] not in sys.stdlib_module_names} == {
        "crypto_lakehouse.vocabulary"
    }
