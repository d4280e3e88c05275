"""Dead legs are found out; on a real index every leg is alive."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from knowledge.types import Passage
from retrieval.canary import check_legs
from retrieval.cases import CaseOptions
from retrieval.leakage import Probe
from retrieval.lexical import LayeredLexical, LexicalIndex
from retrieval.search import Encoders, neighbours
from retrieval.types import Vectors
from retrieval.vectors import ExactVectors, LayeredVectors
from retrieval.view import CaseCollection, Collection, View
from tests.fakes import CAPTIONS, COLOURS, Corpus, FakeTextEncoder, case_of, fill, patch_of, sha256

LEGS = ("picture", "caption meaning", "caption words", "passage meaning", "passage words")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    """Read only."""
    corpus = Corpus(tmp_path_factory.mktemp("canary") / "home")
    fill(corpus)
    yield corpus
    corpus.close()


def stored(digest: str) -> NDArray[np.uint8]:
    """What the blob store would give: the pixels of the sample's cases by the hash of what is stored."""
    names = {
        sha256(f"stored {label.split()[0]}-{number}"): (label, number) for label in CAPTIONS for number in range(4)
    }
    label, number = names[digest]
    return patch_of(COLOURS[label], number)


def alive(corpus: Corpus, view: View, encoders: Encoders | None = None) -> dict[str, bool | None]:
    checks = check_legs(view, encoders or corpus.encoders, corpus.registry, stored)
    return {check.leg: check.alive for check in checks}


def all_alive_but(*dead: str) -> dict[str, bool | None]:
    return {leg: leg not in dead for leg in LEGS}


def changed(vectors: LayeredVectors, change: Callable[[Vectors], Vectors]) -> LayeredVectors:
    matrix = vectors.take(np.arange(len(vectors)))
    return LayeredVectors(ExactVectors(matrix[:0]), change(matrix))


def with_passages(view: View, **parts: object) -> View:
    passages: Collection = replace(view.passages, **parts)  # type: ignore[arg-type]
    return replace(view, passages=passages)


def with_cases(view: View, **parts: object) -> View:
    cases: CaseCollection = replace(view.cases, **parts)  # type: ignore[arg-type]
    return replace(view, cases=cases)


def permuted(matrix: Vectors) -> Vectors:
    return np.roll(matrix, 5, axis=0)


def zeroed(matrix: Vectors) -> Vectors:
    return np.zeros_like(matrix)


def all_alike(matrix: Vectors) -> Vectors:
    return np.repeat(matrix[:1], len(matrix), axis=0)


def lexical_of(texts: list[str]) -> LayeredLexical:
    return LayeredLexical(LexicalIndex.build(texts), [])


def test_every_leg_of_a_real_index_is_alive(built: Corpus) -> None:
    assert alive(built, built.reader().view()) == all_alive_but()


def test_every_leg_of_a_delta_is_alive(filled: Corpus) -> None:
    assert alive(filled, filled.reader().view()) == all_alive_but()


@pytest.mark.parametrize("damage", [zeroed, permuted, all_alike])
def test_a_damaged_matrix_of_pictures_is_found_out(filled: Corpus, damage: Callable[[Vectors], Vectors]) -> None:
    view = filled.reader().view()
    damaged = with_cases(view, pictures=changed(view.cases.pictures, damage))
    assert alive(filled, damaged) == all_alive_but("picture")


@pytest.mark.parametrize("damage", [zeroed, permuted, all_alike])
def test_a_damaged_matrix_of_passages_is_found_out(filled: Corpus, damage: Callable[[Vectors], Vectors]) -> None:
    view = filled.reader().view()
    damaged = with_passages(view, vectors=changed(view.passages.vectors, damage))
    assert alive(filled, damaged) == all_alive_but("passage meaning")


@pytest.mark.parametrize(
    "texts", [["", "", "", ""], ["row number"] * 4, ["0", "1", "2", "3"]], ids=["empty", "all alike", "row numbers"]
)
def test_a_lexical_index_of_other_texts_is_found_out(filled: Corpus, texts: list[str]) -> None:
    dead = with_passages(filled.reader().view(), lexical=lexical_of(texts))
    assert alive(filled, dead) == all_alive_but("passage words")


def test_a_lexical_index_with_its_rows_permuted_is_found_out(filled: Corpus) -> None:
    texts = [text for _, text in filled.registry.passage_texts()]
    dead = with_passages(filled.reader().view(), lexical=lexical_of(texts[::-1]))
    assert alive(filled, dead) == all_alive_but("passage words")


def test_a_mask_that_hides_everything_is_nothing_to_search(filled: Corpus) -> None:
    view = with_passages(filled.reader().view(), alive=np.zeros(4, dtype=np.bool_))
    assert alive(filled, view) == all_alive_but() | {"passage meaning": None, "passage words": None}


def test_an_encoder_other_than_the_index_s_is_found_out(filled: Corpus) -> None:
    class Other(FakeTextEncoder):
        def _sum(self, text: str) -> NDArray[np.float64]:
            return super()._sum(text)[::-1]

    encoders = replace(filled.encoders, passages=Other())
    assert alive(filled, filled.reader().view(), encoders) == all_alive_but("passage meaning")


def test_an_empty_corpus_has_no_dead_legs(corpus: Corpus) -> None:
    assert alive(corpus, corpus.reader().view()) == dict.fromkeys(LEGS)


def test_a_single_item_is_enough_to_be_alive(corpus: Corpus) -> None:
    corpus.add_document("only", ["Offer adapalene for acne."])
    found = alive(corpus, corpus.reader().view())
    assert (found["passage meaning"], found["passage words"]) == (True, True)


def test_cases_without_captions_leave_the_caption_legs_unproven(corpus: Corpus) -> None:
    for number in range(2):
        corpus.add_case(case_of(f"acne-{number}", "acne vulgaris"), patch_of(COLOURS["acne vulgaris"], number))
    found = alive(corpus, corpus.reader().view())
    assert found == {leg: True if leg == "picture" else None for leg in LEGS}


def test_an_item_that_went_and_came_back_is_looked_for_where_it_is_now(built: Corpus) -> None:
    built.registry.delete_document(sha256("acne-guide"))
    built.add_document("acne-guide", ["Offer adapalene.", "Review after 12 weeks."])
    assert alive(built, built.reader().view()) == all_alive_but()


def test_a_verdict_says_what_mends_it(filled: Corpus) -> None:
    view = filled.reader().view()
    dead = with_passages(view, vectors=changed(view.passages.vectors, zeroed))
    details = {check.leg: check.detail for check in check_legs(dead, filled.encoders, filled.registry, stored)}
    assert "dermacite reindex" in details["passage meaning"]
    assert details["picture"] == "recognised 2 known items"


def test_without_the_picture_or_the_note_the_neighbours_of_known_cases_are_others(filled: Corpus) -> None:
    view = filled.reader().view()
    captions = [case.caption for case in filled.registry.cases(view.cases.ids).values()]

    def ranked(number: int, alpha: float) -> list[str]:
        # A known picture with the note of another case, so that both legs have something to say.
        picture, note = view.cases.pictures.take(np.array([number])), captions[(number + 5) % len(captions)]
        found = neighbours(view, filled.encoders, picture, note, Probe(), CaseOptions(k=10, alpha=alpha))
        return [hit.id for hit in found.hits]

    served = [ranked(number, 0.7) for number in range(12)]
    for alone in (0.0, 1.0):
        changed = [both != ranked(number, alone) for number, both in enumerate(served)]
        # Twelve cases are few: now and then one leg decides the whole order.
        assert sum(changed) >= 10


def test_the_rows_of_a_table_are_known_with_their_header(filled: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    real = filled.registry.passages

    def cut(ids: Sequence[str]) -> dict[str, Passage]:
        """Each passage as a table whose header is its first words."""
        whole = {name: one.text.split(" ", 3) for name, one in real(ids).items()}
        known = real(ids)
        return {name: replace(known[name], header=" ".join(said[:3]), text=said[3]) for name, said in whole.items()}

    monkeypatch.setattr(filled.registry, "passages", cut)
    assert alive(filled, filled.reader().view())["passage meaning"] is True
