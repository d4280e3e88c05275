"""What a consultation may ask: every combination that could have no effect is refused with what is possible."""

from dataclasses import replace
from typing import Any

import pytest

from inference.admission import (
    MAX_NOTE,
    MAX_SEED,
    ServedModels,
    can_report,
    check,
    layout_of,
    prompt_of,
    references_of,
    report_modes,
)
from inference.errors import ConsultationRefused
from inference.profiles import Layout, Stage, load_profile, profiles
from inference.types import Consultation, DiagnosisOptions, GroupUse, ReportMode
from tests.fakes import FakeEngine, patch_of, picture_of, served

PICTURE = picture_of(patch_of((200, 80, 80)))
NONE = ServedModels()


def models(disease: str | None = None, report: str | None = None, group: str | None = None) -> ServedModels:
    return ServedModels(*(None if name is None else served(name, FakeEngine()) for name in (group, disease, report)))


SIRIUS, ALTAIR = models("hikari-sirius"), models("hikari-altair")
POLARIS = models("hikari-polaris", group="hikari-subaru")
WHOLE = models("hikari-sirius", "hikari-vega", "hikari-subaru")


def asked(
    models: ServedModels,
    pictures: int = 1,
    note: str = "",
    *,
    reranks: bool = False,
    one_space: bool = False,
    **options: Any,
) -> None:
    consultation = Consultation((PICTURE,) * pictures, note)
    check(consultation, DiagnosisOptions(**options), models, reranks=reranks, one_space=one_space)


@pytest.mark.parametrize("models", [NONE, SIRIUS, ALTAIR, WHOLE, models(report="qwen3-vl-8b-instruct")])
def test_nothing_switched_is_always_possible(models: ServedModels) -> None:
    asked(models)
    asked(models, pictures=4, note="x" * MAX_NOTE, alpha=0.0, k=20, seed=MAX_SEED)


def test_what_is_configured_can_be_asked_for() -> None:
    asked(NONE, rerank=True, reranks=True)
    asked(NONE, strategy="A", one_space=True)
    asked(NONE, strategy="B")


@pytest.mark.parametrize(
    ("given", "possible"),
    [
        ({"pictures": 0}, "1 to 4"),
        ({"pictures": 5}, "1 to 4"),
        ({"note": "x" * (MAX_NOTE + 1)}, str(MAX_NOTE)),
        ({"alpha": 1.01}, "0 to 1"),
        ({"alpha": -0.01}, "0 to 1"),
        ({"alpha": float("nan")}, "0 to 1"),
        ({"k": 21}, "0 to 20"),
        ({"k": -1}, "0 to 20"),
        ({"rerank": True}, "configure `reranker`"),
        ({"strategy": "A"}, "do not share a space"),
        ({"seed": -1}, str(MAX_SEED)),
        ({"seed": MAX_SEED + 1}, str(MAX_SEED)),
    ],
)
def test_what_is_out_of_bounds_is_refused_with_the_bounds(given: dict[str, Any], possible: str) -> None:
    for models in (NONE, WHOLE):
        with pytest.raises(ConsultationRefused, match=possible):
            asked(models, **given)


@pytest.mark.parametrize(
    "options",
    [
        {"references": 0}, {"layout": Layout.TRAINING}, {"prompt": "P0"}, {"constrain": True}, {"constrain": False},
        {"captions": "masked"},
    ],
)  # fmt: skip
def test_options_of_stage_2_are_refused_where_cases_vote(options: dict[str, Any]) -> None:
    with pytest.raises(ConsultationRefused, match="neighbours' vote") as refused:
        asked(models(report="hikari-vega"), **options)
    assert str(refused.value).startswith(next(iter(options)))


def test_all_options_without_effect_are_named_at_once() -> None:
    with pytest.raises(ConsultationRefused, match="references, prompt, captions"):
        asked(NONE, references=1, prompt="P0", captions="masked")


@pytest.mark.parametrize("group", [GroupUse.USED, GroupUse.SOFT])
def test_a_group_without_a_group_model_is_refused_with_the_setting(group: GroupUse) -> None:
    for given in (NONE, SIRIUS):
        with pytest.raises(ConsultationRefused, match="`grouper`"):
            asked(given, group=group)


@pytest.mark.parametrize(
    ("models", "options", "possible"),
    [
        (SIRIUS, {"references": 4}, "0 to 3 references"),
        (SIRIUS, {"references": -1}, "0 to 3 references"),
        (ALTAIR, {"references": 1}, "0 to 0 references"),
        (SIRIUS, {"layout": Layout.SINGLE}, "choose training or evaluation, or 0 references"),
        (SIRIUS, {"prompt": "caption"}, "its prompts: T1, T2, T3, P0"),
        (SIRIUS, {"prompt": "P9"}, "its prompts: T1, T2, T3, P0"),
        (SIRIUS, {"prompt": "P1g"}, "a prompt that would do: T1, T2, T3, P0, P1, P2, P3"),
        (WHOLE, {"prompt": "P1", "group": GroupUse.USED}, "a prompt that would do: P0g, P1g, P2g, P3g"),
        (WHOLE, {"prompt": "P1g", "group": GroupUse.SOFT}, "a prompt that would do: T1"),
        (POLARIS, {}, "group used"),
    ],
)
def test_what_stage_2_cannot_do_is_refused_with_what_it_can(
    models: ServedModels, options: dict[str, Any], possible: str
) -> None:
    with pytest.raises(ConsultationRefused) as refused:
        asked(models, **options)
    assert possible in str(refused.value)


@pytest.mark.parametrize(
    ("models", "options"),
    [
        (SIRIUS, {"references": 0, "layout": Layout.SINGLE}),
        (SIRIUS, {"references": 3, "layout": Layout.TRAINING}),
        (SIRIUS, {"cases": False}),
        (WHOLE, {"group": GroupUse.USED}),
        (WHOLE, {"group": GroupUse.USED, "prompt": "P2g"}),
        (WHOLE, {"group": GroupUse.SOFT, "prompt": "P2"}),
        (POLARIS, {"group": GroupUse.USED}),
        (WHOLE, {"report": ReportMode.PLAIN}),
        (WHOLE, {"report": ReportMode.EXTRACTIVE}),
    ],
)
def test_what_has_an_effect_is_admitted(models: ServedModels, options: dict[str, Any]) -> None:
    asked(models, **options)


@pytest.mark.parametrize(
    ("reporter", "modes"),
    [
        (None, {"extractive"}),
        ("hikari-vega", {"extractive", "plain", "guided"}),
        ("qwen3-vl-8b-instruct", {"extractive", "grounded"}),
        ("skinspector", {"extractive", "grounded"}),
    ],
)
def test_a_report_the_reporter_cannot_write_is_refused_with_those_it_can(reporter: str | None, modes: set[str]) -> None:
    given = models(report=reporter)
    for mode in ReportMode:
        if mode.value in modes:
            asked(given, report=mode)
            continue
        with pytest.raises(ConsultationRefused) as refused:
            asked(given, report=mode)
        assert set(str(refused.value).partition("it can: ")[2].split(", ")) == modes


def test_a_captioning_model_without_a_guided_prompt_writes_plainly() -> None:
    vega = load_profile("hikari-vega")
    assert report_modes(vega)[-1] is ReportMode.GUIDED
    assert report_modes(replace(vega, guided_prompt=None))[-1] is ReportMode.PLAIN


def test_who_writes_about_pictures_is_a_captioning_or_a_citing_model() -> None:
    able = {name for name in profiles() if can_report(load_profile(name))}
    captioning = {name for name in profiles() if load_profile(name).stage is Stage.CAPTION}
    assert able == captioning | {"qwen2.5-vl-7b-instruct", "qwen3-vl-8b-instruct", "skinspector"}


def test_what_is_not_switched_is_as_the_profile_says() -> None:
    profile = load_profile("hikari-sirius")
    plain = DiagnosisOptions()
    assert (prompt_of(plain, profile), layout_of(plain, profile), references_of(plain, profile)) == (
        "P0", Layout.EVALUATION, 3,
    )  # fmt: skip
    used = DiagnosisOptions(group=GroupUse.USED)
    assert prompt_of(used, profile) == "P0g"
    assert references_of(DiagnosisOptions(cases=False), profile) == 0
    given = DiagnosisOptions(prompt="T2", layout=Layout.TRAINING, references=1)
    assert (prompt_of(given, profile), layout_of(given, profile), references_of(given, profile)) == (
        "T2", Layout.TRAINING, 1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("options", "possible"),
    [
        ({"cases": False, "references": 1}, "cases"),
        ({"captions": "masked", "layout": Layout.TRAINING}, "evaluation"),
        ({"captions": "masked", "references": 0}, "references"),
        ({"layout": Layout.TRAINING, "references": 0}, "lay out"),
    ],
)
def test_options_that_could_have_no_effect_together_are_refused(options: dict[str, Any], possible: str) -> None:
    with pytest.raises(ConsultationRefused, match=possible):
        asked(SIRIUS, **options)
