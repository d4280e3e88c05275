"""The view: the newest generation, what came since, and without what went."""

import json
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from knowledge.registry import Registry, document_id_of
from retrieval import search
from retrieval.cases import CaseOptions
from retrieval.errors import IndexBroken, IndexMismatch
from retrieval.generation import MANIFEST, SKETCHES_FILE
from retrieval.hybrid import HybridOptions
from retrieval.index import BUILDING
from retrieval.leakage import Probe
from retrieval.search import Encoders
from retrieval.types import Ranking
from retrieval.view import IndexReader, View
from tests.fakes import (
    COLOURS,
    Corpus,
    FakeImageEncoder,
    FakeTextEncoder,
    case_of,
    patch_of,
    picture_of,
    sha256,
    sketch_named,
)

KERATOSIS = "Offer imiquimod for actinic keratosis on the forehead."


def found(corpus: Corpus, text: str, view: View | None = None) -> list[str]:
    """Ids of passages, best first."""
    ranking = search.passages(view or corpus.reader().view(), corpus.encoders, text, HybridOptions(k=20))
    return [hit.id for hit in ranking.hits]


def similar(corpus: Corpus, label: str, number: int = 0) -> list[str]:
    """Ids of cases, best first, by picture alone."""
    view = corpus.reader().view()
    pictures = search.encode_pictures(corpus.encoders, [patch_of(COLOURS[label], number)])
    return [hit.id for hit in search.neighbours(view, corpus.encoders, pictures, "", Probe(), CaseOptions()).hits]


# --- base and delta ------------------------------------------------------------------------------------------------


def test_what_was_built_is_searched_from_the_generation(built: Corpus) -> None:
    view = built.reader().view()
    assert view.generation == built.index.current()
    assert (view.delta_size, view.masked) == (0, 0)
    assert found(built, "adapalene for acne")[0] == "p-acne-guide-1"
    assert similar(built, "melanocytic nevi")[0] == "c-melanocytic-0"


def test_before_the_first_build_everything_is_in_the_delta(corpus: Corpus) -> None:
    corpus.add_document("guide", [KERATOSIS])
    view = corpus.reader().view()
    assert (view.generation, view.delta_size) == (None, 1)
    assert found(corpus, "actinic keratosis") == ["p-guide-1"]


def test_an_empty_corpus_finds_nothing(corpus: Corpus) -> None:
    view = corpus.reader().view()
    assert (view.delta_size, view.masked, view.cases.labels) == (0, 0, ())
    assert found(corpus, "actinic keratosis") == []
    assert similar(corpus, "psoriasis") == []


def test_base_and_delta_are_found_as_one_rebuild_would_find_them(built: Corpus) -> None:
    built.add_document("new-guide", [KERATOSIS, "Psoriasis of the nails: offer calcipotriol."])
    layered = found(built, "offer for plaque psoriasis")
    built.index.publish(built.build())
    assert built.reader().view().delta_size == 0
    assert found(built, "offer for plaque psoriasis") == layered


def test_a_new_document_is_found_at_once(built: Corpus) -> None:
    reader = built.reader()
    before = reader.view()
    built.add_document("new-guide", [KERATOSIS])
    view = reader.view()
    assert (view.delta_size, view.corpus_generation) == (1, before.corpus_generation + 1)
    assert found(built, "actinic keratosis", view)[0] == "p-new-guide-1"


def test_a_new_case_is_found_at_once(built: Corpus) -> None:
    built.add_case(case_of("new", "wart", "Verrucous papule."), patch_of((10, 240, 10)))
    view = built.reader().view()
    assert view.cases.labels == ("acne vulgaris", "melanocytic nevi", "psoriasis", "wart")
    pictures = search.encode_pictures(built.encoders, [patch_of((10, 240, 10))])
    best = search.neighbours(view, built.encoders, pictures, "", Probe(), CaseOptions()).hits[0]
    assert best.id == "c-new"
    assert best.score == pytest.approx(1)


def test_a_view_is_kept_until_something_changes(built: Corpus) -> None:
    reader = built.reader()
    view = reader.view()
    assert reader.view() is view
    built.registry.delete_document(sha256("acne-guide"))
    assert reader.view() is not view


def test_a_new_generation_is_searched_from_then_on(built: Corpus) -> None:
    reader = built.reader()
    built.add_document("new-guide", [KERATOSIS])
    before = reader.view()
    final = built.index.publish(built.build())
    after = reader.view()
    assert (before.delta_size, after.delta_size, after.generation) == (1, 0, final)
    assert found(built, "keratosis", after) == found(built, "keratosis", before)


def test_a_view_in_use_outlives_the_next_generation(built: Corpus) -> None:
    view = built.reader().view()
    assert view.generation is not None
    built.index.publish(shutil.copytree(view.generation, built.index.folder / f"{BUILDING}next"))
    assert found(built, "adapalene for acne", view)[0] == "p-acne-guide-1"


def test_readers_in_threads_get_one_view(built: Corpus) -> None:
    reader = built.reader()
    views: list[View] = []
    threads = [threading.Thread(target=lambda: views.append(reader.view())) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(views) == 6
    assert len({id(view) for view in views}) == 1


def test_a_change_of_documents_leaves_the_cases_and_what_was_opened_as_they_are(built: Corpus) -> None:
    reader = built.reader()
    before = reader.view()
    built.add_document("new-guide", [KERATOSIS])
    added = reader.view()
    built.registry.delete_document(sha256("new-guide"))
    deleted = reader.view()
    assert before.cases is added.cases is deleted.cases
    assert before.passages.lexical._base is added.passages.lexical._base is deleted.passages.lexical._base
    assert [found(built, "actinic keratosis", view)[:1] for view in (before, added, deleted)] == [
        found(built, "actinic keratosis", before)[:1], ["p-new-guide-1"], found(built, "actinic keratosis", before)[:1]
    ]  # fmt: skip


def test_a_change_of_cases_is_seen_by_a_reader_that_kept_them(built: Corpus) -> None:
    reader = built.reader()
    counts = [len(reader.view().cases.alive)]
    built.add_case(case_of("newcomer", "rosacea"), patch_of((9, 9, 99)))
    counts.append(int(reader.view().cases.alive.sum()))
    assert "rosacea" in reader.view().cases.labels
    built.registry.datasets.delete_case("c-newcomer")
    counts.append(int(reader.view().cases.alive.sum()))
    built.registry.datasets.retire("set")
    counts.append(int(reader.view().cases.alive.sum()))
    built.registry.datasets.restore("set")
    counts.append(int(reader.view().cases.alive.sum()))
    assert counts == [counts[0], counts[0] + 1, counts[0], 0, counts[0]]


def test_a_reader_that_kept_a_generation_follows_the_next(built: Corpus) -> None:
    reader = built.reader()
    reader.view()
    built.add_document("new-guide", [KERATOSIS])
    built.add_case(case_of("newcomer", "rosacea"), patch_of((9, 9, 99)))
    built.index.publish(built.build())
    view = reader.view()
    assert (view.generation, view.delta_size) == (built.index.current(), 0)
    assert found(built, "actinic keratosis", view)[0] == "p-new-guide-1"
    assert "rosacea" in view.cases.labels


# --- what went -----------------------------------------------------------------------------------------------------


class Interrupted(Registry):
    """While facts are read, and delta and tombstones have been, somebody does something."""

    meanwhile: Callable[[], object] | None = None

    def tombstones(self, since: int) -> frozenset[str]:
        found = super().tombstones(since)
        if self.meanwhile is not None:
            deed, self.meanwhile = self.meanwhile, None
            with ThreadPoolExecutor(1) as elsewhere:
                elsewhere.submit(deed).result()
        return found


@pytest.mark.parametrize("generation", ["base", "delta"])
def test_of_a_version_superseded_while_a_view_is_loaded_one_is_found_and_never_both_or_none(
    built: Corpus, generation: str
) -> None:
    document = document_id_of(built.add_document("first edition", [KERATOSIS]))
    if generation == "base":
        built.index.publish(built.build())
    registry = Interrupted.in_folder(built.home)
    registry.meanwhile = lambda: built.add_document("second edition", [KERATOSIS], document_id=document)
    reader = IndexReader(built.index, registry, built.embeddings)
    editions = {"p-first edition-1", "p-second edition-1"}
    assert editions & set(found(built, KERATOSIS, reader.view())) == {"p-first edition-1"}
    assert registry.meanwhile is None, "nothing happened meanwhile: this test no longer tests anything"
    assert editions & set(found(built, KERATOSIS, reader.view())) == {"p-second edition-1"}
    registry.close()


def test_a_deleted_document_is_masked_at_once(built: Corpus) -> None:
    built.registry.delete_document(sha256("acne-guide"))
    view = built.reader().view()
    assert view.masked == 2
    assert found(built, "adapalene for acne", view) == ["p-psoriasis-guide-1", "p-psoriasis-guide-2"]


def test_a_replaced_case_is_found_once_with_its_new_label(built: Corpus) -> None:
    old = built.registry.case("c-acne-0")
    built.add_case(case_of("better", "rosacea", old.caption, original=old.original), patch_of(COLOURS["acne vulgaris"]))
    hits = similar(built, "acne vulgaris")
    assert "c-better" in hits
    assert "c-acne-0" not in hits
    assert "rosacea" in built.reader().view().cases.labels


def test_a_document_that_was_deleted_and_came_back_is_found_once(built: Corpus) -> None:
    reader = built.reader()
    pages = [text for _, text in built.registry.passage_texts() if "adapalene" in text or "Comedones" in text]
    built.registry.delete_document(sha256("acne-guide"))
    built.add_document("acne-guide", pages)
    view = reader.view()
    assert view.passages.ids.count("p-acne-guide-1") == 2
    assert found(built, "adapalene for acne", view).count("p-acne-guide-1") == 1


def test_a_document_that_came_back_is_found_after_a_rebuild_too(built: Corpus) -> None:
    pages = [text for _, text in built.registry.passage_texts() if "adapalene" in text]
    built.registry.delete_document(sha256("acne-guide"))
    built.add_document("acne-guide", pages)
    built.index.publish(built.build())
    view = built.reader().view()
    assert (view.delta_size, view.masked) == (0, 0)
    assert found(built, "adapalene for acne", view)[0] == "p-acne-guide-1"


def test_what_came_and_went_within_the_delta_is_not_found(built: Corpus) -> None:
    built.add_document("new-guide", [KERATOSIS])
    built.registry.delete_document(sha256("new-guide"))
    assert "p-new-guide-1" not in found(built, "actinic keratosis")


# --- cases ---------------------------------------------------------------------------------------------------------


def test_the_leak_guard_covers_base_and_delta(built: Corpus) -> None:
    built.add_case(case_of("twin", "psoriasis", subject="psoriasis-1"), patch_of(COLOURS["psoriasis"], 1))
    query = picture_of(patch_of(COLOURS["psoriasis"], 1), "twin")
    view = built.reader().view()
    pictures = search.encode_pictures(built.encoders, [query.rgb])
    ranking = search.neighbours(
        view, built.encoders, pictures, "", Probe(originals=frozenset({query.sha256})), CaseOptions()
    )
    assert ranking.excluded == {"same_picture": 1, "same_subject": 1}
    assert {"c-twin", "c-psoriasis-1"}.isdisjoint(hit.id for hit in ranking.hits)


def test_without_the_leak_guard_the_ranking_says_so(built: Corpus) -> None:
    pictures = search.encode_pictures(built.encoders, [patch_of(COLOURS["psoriasis"])])
    ranking = search.neighbours(built.reader().view(), built.encoders, pictures, "", None, CaseOptions())
    assert any("leak guard was switched off" in warning for warning in ranking.warnings)


def test_cases_are_found_by_their_captions(built: Corpus) -> None:
    built.add_case(case_of("bare", "psoriasis"), patch_of(COLOURS["psoriasis"], 9))
    ranking = search.captions(
        built.reader().view(), built.encoders, "comedones and pustules", HybridOptions(near_duplicate=2.0, k=20)
    )
    assert {hit.id for hit in ranking.hits[:4]} == {f"c-acne-{number}" for number in range(4)}
    assert "c-bare" not in {hit.id for hit in ranking.hits}


def test_a_case_without_a_caption_has_none_in_base_and_delta(built: Corpus) -> None:
    built.add_case(case_of("bare-1"), patch_of(COLOURS["psoriasis"], 9))
    built.index.publish(built.build())
    built.add_case(case_of("bare-2"), patch_of(COLOURS["psoriasis"], 10))
    cases = built.reader().view().cases
    bare = {cases.ids[row] for row in np.flatnonzero(~cases.captioned)}
    assert bare == {"c-bare-1", "c-bare-2"}


# --- mismatch ------------------------------------------------------------------------------------------------------


def test_other_encoders_than_those_of_the_index_are_refused_with_the_command_that_mends(built: Corpus) -> None:
    text = FakeTextEncoder("another")
    other = Corpus(built.home, Encoders(FakeImageEncoder(), text, text))
    with pytest.raises(IndexMismatch, match="dermacite reindex"):
        other.reader().view()
    other.close()


@pytest.mark.parametrize("changes", [{"format": 0}, {"tokenizer": "clinical-0"}, {"fingerprints": {}}], ids=str)
def test_an_index_of_another_version_is_refused(changes: dict[str, object], built: Corpus) -> None:
    current = built.index.current()
    assert current is not None
    manifest = json.loads((current / MANIFEST).read_text())
    (current / MANIFEST).write_text(json.dumps(manifest | changes))
    with pytest.raises(IndexMismatch, match="dermacite reindex"):
        built.reader().view()


def test_an_index_without_its_manifest_is_refused(built: Corpus) -> None:
    current = built.index.current()
    assert current is not None
    (current / MANIFEST).unlink()
    with pytest.raises(IndexBroken, match="dermacite reindex"):
        built.reader().view()


@pytest.mark.parametrize("name", ["passages.npy", "passages.json", "captions.bm25/lengths.json"])
def test_an_index_with_a_missing_file_is_refused_by_one_of_our_errors(name: str, built: Corpus) -> None:
    current = built.index.current()
    assert current is not None
    (current / name).unlink()
    with pytest.raises(IndexBroken, match="dermacite reindex"):
        built.reader().view()


def test_a_view_whose_generation_went_does_not_make_its_chroma_anew(built: Corpus) -> None:
    view = IndexReader(built.index, built.registry, built.embeddings, exact_below=1).view()
    assert view.generation is not None
    expected = found(built, "offer for plaque psoriasis")
    built.index.publish(built.build(), keep_previous=False)
    assert found(built, "offer for plaque psoriasis", view) == expected
    assert not view.generation.exists()
    assert not built.index.kept_by_servers()


def test_a_reader_over_chroma_finds_what_exact_search_finds(built: Corpus) -> None:
    reader = IndexReader(built.index, built.registry, built.embeddings, exact_below=0)
    assert found(built, "adapalene for acne", reader.view()) == found(built, "adapalene for acne")


# --- sketches ------------------------------------------------------------------------------------------------------


def guarded_by_sketch(view: View, corpus: Corpus, name: str) -> Ranking:
    pictures = search.encode_pictures(corpus.encoders, [patch_of(COLOURS["psoriasis"], 1)])
    return search.neighbours(view, corpus.encoders, pictures, "", Probe(sketches=[sketch_named(name)]), CaseOptions())


def test_copies_are_recognised_in_base_and_delta_and_named(built: Corpus) -> None:
    built.add_case(case_of("newcomer"), patch_of((9, 9, 99)))
    view = built.reader().view()
    for name in ("c-psoriasis-1", "c-newcomer"):
        ranking = guarded_by_sketch(view, built, name)
        assert (ranking.excluded, ranking.excluded_ids) == ({"near_duplicate": 1}, {"near_duplicate": (name,)})
        assert ranking.warnings == ("no note: cases were found by picture alone",)


def test_a_home_from_before_sketches_serves_and_says_what_it_cannot_see(built: Corpus) -> None:
    generation = built.index.current()
    assert generation is not None
    (generation / SKETCHES_FILE).unlink()
    ranking = guarded_by_sketch(built.reader().view(), built, "c-psoriasis-1")
    assert ranking.excluded == {}
    assert "12 of 12 cases by their hash alone" in ranking.warnings[-1]
    assert ranking.warnings[-1].endswith("run: dermacite reindex")


def test_cases_of_a_retired_dataset_are_alive_nowhere_and_those_of_a_like_name_are(built: Corpus) -> None:
    built.add_case(case_of("twin", "only here", "zyxomatous plaque", dataset="SET"), patch_of(COLOURS["psoriasis"], 9))
    reader = built.reader()
    before = reader.view().cases
    built.registry.datasets.retire("SET")
    cases = reader.view().cases
    assert cases.ids == before.ids
    gone = [item for item, alive in zip(cases.ids, cases.alive, strict=True) if not alive]
    assert gone == ["c-twin"]
    assert "only here" in before.labels
    assert "only here" not in cases.labels
    assert cases.captions.lexical.idf("zyxomat") == cases.captions.lexical.idf("nowhere")
    assert not cases.guard.present[cases.ids.index("c-twin")]
    built.registry.datasets.restore("SET")
    assert reader.view().cases.alive.all()
