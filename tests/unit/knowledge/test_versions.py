"""The life of a document's versions: draft, approved, superseded, retired, expired, deleted, and who did it."""

import hashlib
import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)  # fmt: skip

from knowledge.errors import NotFound, TransitionRefused
from knowledge.registry import NewVersion, Registry, document_id_of
from knowledge.registry.documents import IN_FORCE
from knowledge.registry.server import LEAST_CONNECTIONS
from knowledge.types import Cut, Page, PageState, Source, Standing, VersionState

DRAFT, LIVE, SUPERSEDED, RETIRED = VersionState.DRAFT, VersionState.LIVE, VersionState.SUPERSEDED, VersionState.RETIRED
SOURCE = Source("Psoriasis", publisher="A society", effective="2024-01-31")


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def new(name: str, of: str | None = None, source: Source = SOURCE) -> NewVersion:
    """A version of two passages, `p-<name>-0` and `p-<name>-1`."""
    cuts = [(f"p-{name}-{at}", Cut(at * 10, at * 10 + 9, f"{name} {at}", 1, 1, (), 3)) for at in range(2)]
    return NewVersion(
        sha(name), source, 7, sha(f"text of {name}"), (Page(1, 0, 20, PageState.TEXT),), cuts, document_id=of
    )


def add(
    registry: Registry, name: str, of: str | None = None, state: VersionState = LIVE, actor: str = "ann",
    source: Source = SOURCE,
) -> str:  # fmt: skip
    """Put a version in; the id of its document."""
    added = registry.add_version(new(name, of, source), state, actor)
    assert added is not None
    return added.document_id


def states(registry: Registry, document_id: str) -> list[VersionState]:
    return [one.state for one in registry.versions(document_id)]


def found(registry: Registry, *standings: Standing) -> set[str]:
    """Names of the versions whose passages can be read, of these standings (none: in force)."""
    ids = [f"p-{name}-{at}" for name in ("one", "two", "three", "four") for at in range(2)]
    return {item.split("-")[1] for item in registry.passages(ids, frozenset(standings) or IN_FORCE)}


# --- in force ----------------------------------------------------------------------------------------------------------


def test_a_draft_is_stored_and_found_by_nobody_until_it_is_approved(registry: Registry) -> None:
    document = add(registry, "one", state=DRAFT)
    assert registry.corpus_generation() == 0
    assert found(registry, *Standing) == set()
    assert registry.passage_texts() == []
    assert registry.draft_texts() == ["one 0", "one 1"]
    version = registry.version(sha("one"))
    assert (version.state, version.added_by, version.approved_by, version.approved_at) == (DRAFT, "ann", None, None)
    approved = registry.approve(sha("one"), "bob")
    assert (approved.state, approved.approved_by) == (LIVE, "bob")
    assert registry.corpus_generation() == 1
    assert [item for item, _ in registry.passage_texts(0)] == ["p-one-0", "p-one-1"]
    assert registry.draft_texts() == []
    assert found(registry) == {"one"}
    assert registry.document(document).version.id == sha("one")


def test_a_new_version_takes_the_place_of_the_one_in_force_in_one_step(registry: Registry) -> None:
    document = add(registry, "one")
    before = registry.corpus_generation()
    assert add(registry, "two", document, source=replace(SOURCE, title="Psoriasis, second edition")) == document
    assert registry.corpus_generation() == before + 1
    first, second = registry.versions(document)
    assert (first.number, first.state, first.superseded_by) == (1, SUPERSEDED, sha("two"))
    assert (second.number, second.state, second.superseded_by) == (2, LIVE, None)
    assert (first.source.title, second.source.title) == ("Psoriasis", "Psoriasis, second edition")
    assert registry.document(document).source == second.source
    assert registry.document(document).versions == 2
    assert found(registry) == {"two"}
    assert found(registry, Standing.SUPERSEDED) == {"one"}


def test_a_draft_beside_a_version_in_force_changes_nothing_that_is_found(registry: Registry) -> None:
    document = add(registry, "one")
    add(registry, "two", document, DRAFT)
    assert states(registry, document) == [LIVE, DRAFT]
    assert found(registry) == {"one"}
    assert registry.document(document).version.id == sha("one")
    registry.approve(sha("two"), "bob")
    assert states(registry, document) == [SUPERSEDED, LIVE]


def test_a_version_put_in_as_superseded_names_the_one_in_force(registry: Registry) -> None:
    document = add(registry, "one")
    add(registry, "two", document, SUPERSEDED)
    assert states(registry, document) == [LIVE, SUPERSEDED]
    assert registry.version(sha("two")).superseded_by == sha("one")
    assert found(registry) == {"one"}
    assert found(registry, Standing.SUPERSEDED) == {"two"}


@pytest.mark.parametrize("leave", [lambda registry: registry.retire(sha("one")), lambda registry: None])
def test_what_went_out_of_force_can_be_put_back(registry: Registry, leave: object) -> None:
    document = add(registry, "one")
    leave(registry)  # type: ignore[operator]
    add(registry, "two", document)
    back = registry.approve(sha("one"), "bob")
    assert (back.state, back.superseded_by, back.approved_by) == (LIVE, None, "bob")
    assert states(registry, document) == [LIVE, SUPERSEDED]
    assert registry.version(sha("two")).superseded_by == sha("one")
    assert found(registry) == {"one"}


def test_what_is_in_force_cannot_be_approved_again(registry: Registry) -> None:
    add(registry, "one")
    with pytest.raises(TransitionRefused, match="live already") as refused:
        registry.approve(sha("one"))
    assert refused.value.reason == "already_live"
    assert registry.corpus_generation() == 1


@pytest.mark.parametrize(("adder", "approver", "allowed"), [
    ("ann", "ann", False), ("ann", "bob", True), ("unknown", "bob", False), ("unknown", "unknown", False),
])  # fmt: skip
def test_four_eyes_want_another_person_and_to_know_who_it_was(
    registry: Registry, adder: str, approver: str, allowed: bool
) -> None:
    add(registry, "one", state=DRAFT, actor=adder)
    if allowed:
        assert registry.approve(sha("one"), approver, four_eyes=True).state is LIVE
        return
    with pytest.raises(TransitionRefused) as refused:
        registry.approve(sha("one"), approver, four_eyes=True)
    assert refused.value.reason == "four_eyes"
    assert registry.version(sha("one")).state is DRAFT


def test_two_approved_at_once_leave_one_in_force(registry: Registry) -> None:
    document = add(registry, "one", state=DRAFT)
    for name in ("two", "three", "four"):
        add(registry, name, document, DRAFT)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(registry.approve, map(sha, ("one", "two", "three", "four"))))
    assert sorted(states(registry, document)) == [LIVE, SUPERSEDED, SUPERSEDED, SUPERSEDED]
    assert len(found(registry)) == 1


# --- out of force ------------------------------------------------------------------------------------------------------


def test_a_retired_version_is_found_only_by_who_asks_for_it(registry: Registry) -> None:
    document = add(registry, "one")
    assert registry.retire(sha("one"), "bob").state is RETIRED
    assert registry.corpus_generation() == 2
    assert found(registry) == set()
    assert found(registry, Standing.RETIRED) == {"one"}
    assert registry.document(document).version.state is RETIRED


@pytest.mark.parametrize("state", [DRAFT, RETIRED])
def test_only_what_was_in_force_can_be_retired(registry: Registry, state: VersionState) -> None:
    add(registry, "one", state=LIVE if state is RETIRED else state)
    if state is RETIRED:
        registry.retire(sha("one"))
    with pytest.raises(TransitionRefused, match=f"the version is {state}"):
        registry.retire(sha("one"))
    assert registry.version(sha("one")).state is state


@pytest.mark.parametrize(("expires", "standing"), [
    ("2001-01-01", Standing.EXPIRED), ("9999-01-01", Standing.IN_FORCE), (None, Standing.IN_FORCE),
    ("someday", Standing.IN_FORCE),
])  # fmt: skip
def test_a_version_expires_by_its_date_without_any_change(
    registry: Registry, expires: str | None, standing: Standing
) -> None:
    add(registry, "one", source=replace(SOURCE, expires=expires))
    assert found(registry, standing) == {"one"}
    assert found(registry, *(set(Standing) - {standing})) == set()
    assert registry.version(sha("one")).state is LIVE


def test_a_corrected_source_is_a_visible_change_and_the_same_one_is_none(registry: Registry) -> None:
    add(registry, "one")
    corrected = replace(SOURCE, expires="2001-01-01", tags=("adults",))
    assert registry.describe(sha("one"), corrected, "bob").source == corrected
    assert registry.corpus_generation() == 2
    assert found(registry) == set()
    assert registry.describe(sha("one"), corrected, "bob").source == corrected
    assert registry.corpus_generation() == 2
    [entry] = [one for one in registry.audit.entries(sha("one")) if one.action == "describe"]
    assert (entry.actor, entry.details) == ("bob", {"changed": ["expires", "tags"]})


# --- deletion ----------------------------------------------------------------------------------------------------------


def test_deleting_one_version_leaves_the_others_and_the_last_takes_the_document(registry: Registry) -> None:
    document = add(registry, "one")
    add(registry, "two", document)
    assert registry.delete_version(sha("one"), "bob") == ("p-one-0", "p-one-1")
    assert registry.tombstones(0) == {"p-one-0", "p-one-1"}
    assert [one.id for one in registry.versions(document)] == [sha("two")]
    assert found(registry, *Standing) == {"two"}
    registry.delete_version(sha("two"), "bob")
    with pytest.raises(NotFound):
        registry.document(document)
    assert registry.counts()["documents"] == 0
    assert registry.integrity_problems() == []


def test_a_version_that_comes_after_a_deletion_in_the_middle_has_a_number_of_its_own(registry: Registry) -> None:
    document = add(registry, "one")
    add(registry, "two", document)
    add(registry, "three", document)
    registry.delete_version(sha("two"))
    add(registry, "four", document)
    assert [one.number for one in registry.versions(document)] == [1, 3, 4]


def test_the_first_bytes_of_a_document_come_back_as_a_version_of_it(registry: Registry) -> None:
    document = add(registry, "one")
    add(registry, "two", document)
    registry.delete_version(sha("one"))
    assert add(registry, "one") == document == document_id_of(sha("one"))
    assert [(one.number, one.state) for one in registry.versions(document)] == [(2, SUPERSEDED), (3, LIVE)]


def test_documents_of_a_name_are_those_that_have_it_now_however_it_is_written(registry: Registry) -> None:
    swiss = replace(SOURCE, jurisdiction="CH")
    first, second = add(registry, "a"), add(registry, "b", source=swiss)
    assert [
        one.id for one in registry.documents_named(replace(SOURCE, title=" PSORIASIS", publisher="a  Society"))
    ] == [first]
    assert [one.id for one in registry.documents_named(swiss)] == [second]
    add(registry, "c", of=first, source=replace(SOURCE, title="Psoriasis and its treatment"))
    assert registry.documents_named(SOURCE) == (), "the edition in force has another name"
    assert registry.documents_named(replace(SOURCE, publisher=None)) == ()


def test_a_version_of_a_document_that_is_gone_is_refused_and_leaves_nothing(registry: Registry) -> None:
    document = add(registry, "one")
    registry.delete_document(document)
    with pytest.raises(NotFound, match="no such document"):
        registry.add_version(new("two", document))
    assert registry.counts() == {"documents": 0, "passages": 0, "cases": 0}


@pytest.mark.parametrize("ask", ["version", "approve", "retire", "delete_version"])
def test_a_version_that_is_not_there_is_named_with_the_command_that_lists_them(registry: Registry, ask: str) -> None:
    with pytest.raises(NotFound, match="dermacite documents show"):
        getattr(registry, ask)(sha("nothing"))
    assert registry.corpus_generation() == 0


# --- what was done -----------------------------------------------------------------------------------------------------


def test_every_deed_is_recorded_with_who_did_it_and_none_that_was_refused(registry: Registry) -> None:
    document = add(registry, "one", actor="ann")
    add(registry, "two", document, DRAFT, "ann")
    registry.approve(sha("two"), "bob")
    with pytest.raises(TransitionRefused):
        registry.approve(sha("two"), "cem")
    registry.retire(sha("one"), "bob")
    registry.delete_version(sha("one"), "cem")
    deeds = [(one.actor, one.action, one.item) for one in registry.audit.entries()]
    assert deeds == [
        ("ann", "add", sha("one")), ("ann", "add", sha("two")), ("bob", "supersede", sha("one")),
        ("bob", "approve", sha("two")), ("bob", "retire", sha("one")), ("cem", "delete", sha("one")),
    ]  # fmt: skip
    assert registry.audit.entries(sha("two"))[1].details == {"was": "draft"}
    assert [one.action for one in registry.audit.entries(after=4, limit=1)] == ["retire"]


def test_a_snapshot_sees_no_half_of_what_is_written_meanwhile(registry: Registry) -> None:
    document = add(registry, "one")
    with registry.snapshot(), ThreadPoolExecutor(1) as elsewhere:
        generation = registry.corpus_generation()
        elsewhere.submit(add, registry, "two", document).result()
        assert registry.corpus_generation() == generation
        assert found(registry) == {"one"}
        assert elsewhere.submit(found, registry).result() == {"two"}
    assert found(registry) == {"two"}


# --- any order of them -------------------------------------------------------------------------------------------------


class Lifecycle(RuleBasedStateMachine):
    """Any sequence of deeds, against a dictionary; and what an index of any earlier generation would show of it."""

    versions: Bundle[str] = Bundle("versions")

    def __init__(self, empty: Callable[[], Registry]) -> None:
        super().__init__()
        self.registry = empty()

    @initialize()
    def begin(self) -> None:
        self.model: dict[str, tuple[str, VersionState]] = {}  # name -> document, state
        self.built: list[tuple[int, frozenset[str]]] = [(0, frozenset())]
        self.count = 0

    def teardown(self) -> None:
        self.registry.close()

    def _put(self, name: str, of: str | None, state: VersionState) -> None:
        document = add(self.registry, name, of, state)
        if state is LIVE:
            self._supersede(document)
        self.model[name] = document, state

    def _supersede(self, document: str) -> None:
        for name, (mine, state) in self.model.items():
            if mine == document and state is LIVE:
                self.model[name] = mine, SUPERSEDED

    @rule(target=versions, state=st.sampled_from([DRAFT, LIVE]))
    def first(self, state: VersionState) -> str:
        self.count += 1
        self._put(f"v{self.count}", None, state)
        return f"v{self.count}"

    @rule(target=versions, of=versions, state=st.sampled_from([DRAFT, LIVE, SUPERSEDED]))
    def another(self, of: str, state: VersionState) -> str | MultipleResults[str]:
        self.count += 1
        if of not in self.model:
            with pytest.raises(NotFound):
                self.registry.versions(sha(of))
            return multiple()
        self._put(f"v{self.count}", self.model[of][0], state)
        return f"v{self.count}"

    @rule(name=versions)
    def again(self, name: str) -> None:
        """The same bytes: nothing where they are, else they come back."""
        if name in self.model:
            assert self.registry.add_version(new(name)) is None
        else:
            self._put(name, None, LIVE)

    @rule(name=versions)
    def approve(self, name: str) -> None:
        if self._refused(name, {DRAFT, SUPERSEDED, RETIRED}, self.registry.approve):
            document = self.model[name][0]
            self._supersede(document)
            self.model[name] = document, LIVE

    @rule(name=versions)
    def retire(self, name: str) -> None:
        if self._refused(name, {LIVE, SUPERSEDED}, self.registry.retire):
            self.model[name] = self.model[name][0], RETIRED

    def _refused(self, name: str, allowed: set[VersionState], deed: object) -> bool:
        """Do it; whether it was allowed, and refused where it was not."""
        if name in self.model and self.model[name][1] in allowed:
            deed(sha(name))  # type: ignore[operator]
            return True
        with pytest.raises((NotFound, TransitionRefused)):
            deed(sha(name))  # type: ignore[operator]
        return False

    @rule(name=versions)
    def delete_version(self, name: str) -> None:
        if name in self.model:
            self.registry.delete_version(sha(name))
            del self.model[name]

    @rule(name=versions)
    def delete_document(self, name: str) -> None:
        if name in self.model:
            document = self.model[name][0]
            self.registry.delete_document(sha(name))
            self.model = {one: told for one, told in self.model.items() if told[0] != document}

    @rule()
    def build(self) -> None:
        self.built.append((self.registry.corpus_generation(), self._searched()))

    def _searched(self, since: int = 0) -> frozenset[str]:
        return frozenset(item for item, _ in self.registry.passage_texts(since))

    @invariant()
    def as_the_model_says(self) -> None:
        versions = [one for document in self.registry.documents() for one in self.registry.versions(document.id)]
        assert {one.id: (one.document_id, one.state) for one in versions} == {
            sha(name): told for name, told in self.model.items()
        }
        for document in self.registry.documents():
            mine = self.registry.versions(document.id)
            assert sum(one.state is LIVE for one in mine) <= 1
            assert len({one.number for one in mine}) == len(mine)
        ids = [f"p-v{number}-{at}" for number in range(1, self.count + 1) for at in range(2)]
        live = {f"p-{name}-{at}" for name, (_, state) in self.model.items() if state is LIVE for at in range(2)}
        assert set(self.registry.passages(ids)) == live

    @invariant()
    def every_index_and_what_came_since_show_the_same(self) -> None:
        approved = {
            f"p-{name}-{at}" for name, (_, state) in self.model.items() if state is not DRAFT for at in range(2)
        }
        for since, base in self.built:
            assert (base - self.registry.tombstones(since)) | self._searched(since) == approved


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_any_order_of_deeds_leaves_what_it_says(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    numbers = itertools.count()

    def empty() -> Registry:
        if database == "sqlite":
            return Registry.in_folder(tmp_path / str(next(numbers)))
        return Registry(request.getfixturevalue("postgres_server").fresh(), LEAST_CONNECTIONS)

    class Here(Lifecycle):
        def __init__(self) -> None:
            super().__init__(empty)

    run_state_machine_as_test(Here, settings=settings(max_examples=10, stateful_step_count=25, deadline=None))
