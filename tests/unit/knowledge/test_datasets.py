"""Datasets: their state, what is written down of it, what is counted, and labels as their manifests write them."""

import dataclasses
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

import knowledge.migrations
from knowledge.case_ingest import _case_id
from knowledge.case_rows import CaseRow
from knowledge.cases import read_cases
from knowledge.errors import NotFound, TransitionRefused
from knowledge.registry import Registry
from knowledge.registry.datasets import LabelCount, LabelUse
from knowledge.types import DatasetState, Outcome, ReferenceCase
from tests.fakes import case_of


def put(registry: Registry, *cases: ReferenceCase, actor: str = "ada") -> None:
    registry.put_cases(cases, actor)


def deeds(registry: Registry, item: str) -> list[tuple[str, str]]:
    return [(one.actor, one.action) for one in registry.audit.entries(item)]


# --- states ------------------------------------------------------------------------------------------------------------


def test_a_dataset_comes_with_its_first_case_and_says_who_brought_it(registry: Registry) -> None:
    put(registry, case_of("a"), case_of("b"), case_of("c", dataset="other"))
    put(registry, case_of("d"), actor="ben")
    assert [(one.name, one.state, one.cases, one.created_by) for one in registry.datasets.all()] == [
        ("other", "live", 1, "ada"), ("set", "live", 3, "ada"),
    ]  # fmt: skip
    assert deeds(registry, "set") == [("ada", "add"), ("ben", "add")]
    assert registry.audit.entries("set")[0].details == {"added": 2, "replaced": 0}


def test_cases_that_are_there_already_are_no_deed(registry: Registry) -> None:
    put(registry, case_of("a"))
    generation = registry.corpus_generation()
    put(registry, case_of("a"), actor="ben")
    assert (registry.corpus_generation(), deeds(registry, "set")) == (generation, [("ada", "add")])


def test_retired_and_restored_are_visible_changes_with_their_doer(registry: Registry) -> None:
    put(registry, case_of("a"))
    generation = registry.corpus_generation()
    retired = registry.datasets.retire("set", "ben")
    assert (retired.state, retired.retired_by, retired.cases) == (DatasetState.RETIRED, "ben", 1)
    assert registry.datasets.names(DatasetState.RETIRED) == {"set"}
    restored = registry.datasets.restore("set", "ada")
    assert (restored.state, restored.retired_by, restored.retired_at) == (DatasetState.LIVE, None, None)
    assert registry.corpus_generation() == generation + 2
    assert deeds(registry, "set")[1:] == [("ben", "retire"), ("ada", "restore")]


def test_a_state_that_it_has_already_is_refused_and_not_written_down(registry: Registry) -> None:
    put(registry, case_of("a"))
    with pytest.raises(TransitionRefused) as refused:
        registry.datasets.restore("set")
    assert refused.value.reason == "already_live"
    registry.datasets.retire("set")
    with pytest.raises(TransitionRefused) as refused:
        registry.datasets.retire("set")
    assert refused.value.reason == "already_retired"
    assert [action for _, action in deeds(registry, "set")] == ["add", "retire"]


def test_nothing_comes_into_a_retired_dataset_where_nobody_would_find_it(registry: Registry) -> None:
    put(registry, case_of("a"))
    registry.datasets.retire("set")
    with pytest.raises(TransitionRefused) as refused:
        put(registry, case_of("b", dataset="new"), case_of("c"))
    assert refused.value.reason == "dataset_retired"
    assert registry.datasets.names() == {"set"}
    assert registry.counts()["cases"] == 1


def test_a_deleted_dataset_is_gone_with_its_cases_and_they_are_buried(registry: Registry) -> None:
    put(registry, case_of("a"), case_of("b"), case_of("c", dataset="other"))
    generation = registry.corpus_generation()
    registry.datasets.retire("set")
    assert registry.datasets.delete("set", "ben") == ("c-a", "c-b")
    assert registry.cases(["c-a", "c-b", "c-c"]).keys() == {"c-c"}
    assert registry.tombstones(generation) == {"c-a", "c-b"}
    assert registry.datasets.names() == {"other"}
    last = registry.audit.entries("set")[-1]
    assert (last.actor, last.action, last.details) == ("ben", "delete", {"cases": 2, "was": "retired"})
    put(registry, case_of("a"))  # it may come back, and is live
    assert registry.datasets.one("set").state is DatasetState.LIVE


def test_a_dataset_goes_with_its_last_case(registry: Registry) -> None:
    put(registry, case_of("a"), case_of("b"))
    assert registry.datasets.delete_case("c-a", "ben") == ("c-a",)
    assert registry.datasets.one("set").cases == 1
    registry.datasets.delete_case("c-b", "ben")
    assert registry.datasets.all() == ()
    assert deeds(registry, "c-b") == [("ben", "delete")]
    assert deeds(registry, "set")[-1] == ("ben", "delete")


def test_what_is_not_there_is_named_with_the_command_that_lists_what_is(registry: Registry) -> None:
    datasets = registry.datasets
    for ask in (datasets.one, datasets.retire, datasets.restore, datasets.delete):
        with pytest.raises(NotFound, match="dermacite datasets list"):
            ask("nowhere")
    with pytest.raises(NotFound):
        datasets.delete_case("c-nowhere")


# --- what is counted ---------------------------------------------------------------------------------------------------


def test_labels_are_counted_by_skin_tone_and_split_and_unknown_is_counted_too(registry: Registry) -> None:
    put(
        registry, case_of("a", skin_tone="5", split="train"), case_of("b", skin_tone="5", split="train"),
        case_of("c", split="test"), case_of("d", "acne"), case_of("e", dataset="other"),
    )  # fmt: skip
    assert registry.datasets.coverage("set") == (
        LabelCount("acne", None, None, 1), LabelCount("psoriasis", None, "test", 1),
        LabelCount("psoriasis", "5", "train", 2),
    )  # fmt: skip


def test_every_spelling_is_shown_with_what_it_became(registry: Registry) -> None:
    put(
        registry, case_of("a", label_raw="Psoriasis"), case_of("b", label_raw="Psoriasis"),
        case_of("c", label_raw="psoriasis "), case_of("d", "acne"),
    )  # fmt: skip
    assert registry.datasets.labels("set") == (
        LabelUse(None, "acne", 1), LabelUse("Psoriasis", "psoriasis", 2), LabelUse("psoriasis ", "psoriasis", 1),
    )  # fmt: skip


def test_licences_are_counted_the_most_frequent_first(registry: Registry) -> None:
    put(registry, case_of("a", licence="CC0-1.0"), case_of("b", licence="CC0-1.0"), case_of("c"))
    assert registry.datasets.licences("set") == (("CC0-1.0", 2), (None, 1))


def test_the_same_manifest_again_tells_spellings_that_were_not_kept_and_changes_nothing_else(
    registry: Registry,
) -> None:
    put(registry, case_of("a"))
    generation = registry.corpus_generation()
    told = dataclasses.replace(case_of("a"), label_raw="PSORIASIS")
    assert registry.put_cases([told]) == {"c-a": Outcome.UNCHANGED}
    assert registry.case("c-a") == told
    assert registry.put_cases([case_of("a")]) == {"c-a": Outcome.UNCHANGED}
    assert registry.case("c-a").label_raw == "PSORIASIS"
    assert registry.corpus_generation() == generation


# --- as written --------------------------------------------------------------------------------------------------------


def test_a_label_is_kept_as_its_manifest_or_its_folder_writes_it(tmp_path: Path) -> None:
    (tmp_path / "Lichen_Planus").mkdir()
    (tmp_path / "Lichen_Planus" / "a.png").touch()
    [row] = read_cases(tmp_path).rows
    assert isinstance(row, CaseRow)
    assert (row.label, row.label_raw) == ("lichen planus", "Lichen_Planus")
    (tmp_path / "manifest.csv").write_text("picture,label\nLichen_Planus/a.png, Lichen-PLANUS \n")
    [row] = read_cases(tmp_path).rows
    assert isinstance(row, CaseRow)
    assert (row.label, row.label_raw) == ("lichen planus", "Lichen-PLANUS")


def test_a_spelling_makes_no_other_case_and_ids_are_those_of_earlier_homes(tmp_path: Path) -> None:
    row = CaseRow(
        2, tmp_path, "psoriasis vulgaris", "red plaque", subject="s1", split="train", skin_tone="3", licence="CC0-1.0"
    )
    spelt = dataclasses.replace(row, label_raw="Psoriasis-Vulgaris")
    assert spelt == row
    assert _case_id("set", "0" * 64, row) == _case_id("set", "0" * 64, spelt) == "c-15f25cd3c9a6a3b8371e6161"


def test_datasets_of_a_home_from_before_are_live(tmp_path: Path) -> None:
    file = tmp_path / "registry.sqlite3"
    config = Config()
    config.set_main_option("script_location", str(Path(knowledge.migrations.__file__).parent))
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
    engine.dispose()
    with closing(sqlite3.connect(file)) as before, before:
        before.execute(
            "INSERT INTO cases (id, dataset, label, caption, picture, original, perceptual_hash, live_since) "
            "VALUES ('c-1', 'old', 'acne', '', 'p', 'o', '0000000000000000', 1)"
        )
    registry = Registry.in_folder(tmp_path)
    assert [(one.name, one.state, one.cases, one.created_by) for one in registry.datasets.all()] == [
        ("old", "live", 1, None)
    ]
    assert registry.datasets.labels("old") == (LabelUse(None, "acne", 1),)
    registry.close()
