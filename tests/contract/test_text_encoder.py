"""What every TextEncoder does."""

from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from threading import Event

import numpy as np
import pytest

from retrieval.encoders import encoder_card, load_text_encoder
from retrieval.protocols import TextEncoder

NAMES = ("minilm", "open_clip", "open_clip, tokenizer of transformers")
TEXTS = (
    "A scaly plaque on the elbow.",
    "No itch.",
    "Calcipotriol 0.005% twice daily, then once daily, for up to 8 weeks; review after 4 weeks and stop if irritated.",
)


@pytest.fixture(params=NAMES)
def encoder(request: pytest.FixtureRequest, text_encoders: dict[str, TextEncoder]) -> TextEncoder:
    return text_encoders[request.param]


def test_a_text_becomes_a_unit_vector_of_the_card_s_dimension(encoder: TextEncoder) -> None:
    vectors = encoder.encode_documents(TEXTS)
    assert vectors.shape == (3, encoder.card.dimension)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)


def test_queries_have_the_same_form(encoder: TextEncoder) -> None:
    vectors = encoder.encode_queries(TEXTS)
    assert vectors.shape == (3, encoder.card.dimension)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)


def test_without_a_prefix_a_query_is_encoded_like_a_document(encoder: TextEncoder) -> None:
    assert encoder.card.query_prefix == encoder.card.document_prefix == ""
    assert np.allclose(encoder.encode_queries(TEXTS), encoder.encode_documents(TEXTS), atol=1e-6)


def test_no_texts_give_no_vectors(encoder: TextEncoder) -> None:
    assert encoder.encode_documents([]).shape == (0, encoder.card.dimension)
    assert encoder.encode_queries([]).shape == (0, encoder.card.dimension)


def test_an_empty_text_has_a_vector_too(encoder: TextEncoder) -> None:
    assert np.linalg.norm(encoder.encode_documents([""])[0]) == pytest.approx(1, abs=1e-5)


def test_the_same_text_gives_the_same_vector(encoder: TextEncoder) -> None:
    assert np.array_equal(encoder.encode_documents(TEXTS), encoder.encode_documents(TEXTS))


def test_different_texts_give_different_vectors(encoder: TextEncoder) -> None:
    one, other, _ = encoder.encode_documents(TEXTS)
    assert one @ other < 0.9999


def test_a_vector_does_not_depend_on_what_else_is_in_the_batch(encoder: TextEncoder) -> None:
    together = encoder.encode_documents([*TEXTS, *(f"filler {number}" for number in range(40))])[:3]
    alone = np.concatenate([encoder.encode_documents([text]) for text in TEXTS])
    assert np.abs(together - alone).max() < 1e-5


def test_vectors_come_in_the_order_of_the_texts(encoder: TextEncoder) -> None:
    assert np.allclose(encoder.encode_documents(TEXTS[::-1])[::-1], encoder.encode_documents(TEXTS), atol=1e-5)


def test_many_texts_of_all_lengths_come_in_their_order(encoder: TextEncoder) -> None:
    many = [f"{number} {'scaly plaque ' * (number * 7 % 11)}" for number in range(75)]
    alone = np.concatenate([encoder.encode_documents([text]) for text in many])
    assert np.abs(encoder.encode_documents(many) - alone).max() < 1e-5


def test_tokens_are_counted_with_the_special_ones(encoder: TextEncoder) -> None:
    assert encoder.count_tokens("") == 2
    assert encoder.count_tokens("skin") == 3
    assert encoder.count_tokens("skin skin skin") == 5


def test_tokens_are_counted_beyond_what_the_model_reads(encoder: TextEncoder) -> None:
    assert encoder.card.max_tokens is not None
    assert encoder.count_tokens("skin " * 300) == 302 > encoder.card.max_tokens


def test_a_text_that_is_too_long_is_cut_not_refused(encoder: TextEncoder) -> None:
    long = "skin " * 300
    assert np.allclose(encoder.encode_documents([long]), encoder.encode_documents([long + "melanoma"]), atol=1e-6)


def test_threads_that_encode_and_count_do_not_disturb_each_other(encoder: TextEncoder) -> None:
    batches = [TEXTS, TEXTS[::-1], ("skin " * 300, "skin")]  # texts of different lengths must be padded and cut
    expected = [encoder.encode_queries(batch) for batch in batches]
    encoded_all = Event()

    def count() -> set[int]:
        counts = set()
        while not encoded_all.is_set():
            counts.add(encoder.count_tokens("skin " * 200))
        return counts

    with ThreadPoolExecutor(4) as pool:
        counting = [pool.submit(count) for _ in range(2)]
        encoded = [pool.submit(encoder.encode_queries, batch) for batch in batches * 3]
        wait(encoded)
        encoded_all.set()
    assert [future.result() for future in counting] == [{202}, {202}]
    found = np.concatenate([future.result() for future in encoded])
    assert np.allclose(found, np.concatenate(expected * 3), atol=1e-5)


def test_a_query_prefix_of_the_card_is_put_before_queries_only(text_encoders: dict[str, TextEncoder]) -> None:
    plain = text_encoders["minilm"]
    prefixed = load_text_encoder(replace(encoder_card("minilm"), query_prefix="query: "))
    assert np.allclose(prefixed.encode_queries(TEXTS), plain.encode_queries([f"query: {text}" for text in TEXTS]))
    assert np.allclose(prefixed.encode_documents(TEXTS), plain.encode_documents(TEXTS))


def test_a_document_prefix_of_the_card_is_put_before_documents_only(text_encoders: dict[str, TextEncoder]) -> None:
    plain = text_encoders["minilm"]
    prefixed = load_text_encoder(replace(encoder_card("minilm"), document_prefix="passage: "))
    assert np.allclose(prefixed.encode_documents(TEXTS), plain.encode_documents([f"passage: {text}" for text in TEXTS]))
    assert np.allclose(prefixed.encode_queries(TEXTS), plain.encode_queries(TEXTS))


def test_minilm_finds_the_paraphrase_nearer_than_another_disease(text_encoders: dict[str, TextEncoder]) -> None:
    encoder = text_encoders["minilm"]
    query = encoder.encode_queries(["red flaky patches on both elbows"])[0]
    psoriasis, nevus = encoder.encode_documents(["scaly erythematous plaques of the elbows", "a mole that bleeds"])
    assert query @ psoriasis > query @ nevus + 0.2
