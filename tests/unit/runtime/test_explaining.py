"""What --explain prints."""

from retrieval.types import Dropped, Expansion, Explanation
from runtime.explaining import explanation_lines

EXPLANATION = Explanation(
    "adaptive", {"semantic": 0.85, "lexical": 0.15}, 0.18, {"semantic": 100, "lexical": 7},
    (Expansion("itchy", "sensation", ("pruritic", "pruritus")),), 0.2,
    (Dropped("p-1", "below_floor", 0.113), Dropped("p-2", "near_duplicate", 0.991, "p-9")),
)  # fmt: skip


def test_legs_shares_added_words_floor_and_drops_are_said() -> None:
    text = "\n".join(explanation_lines({"passages": EXPLANATION}))
    for expected in (
        "How the passages were found",
        "adaptive: 0.85 semantic + 0.15 lexical",
        "100 semantic, 7 lexical",
        "18%",
        "pruritic, pruritus  (for “itchy”, sensation)",
        "cosine 0.2",
        "p-1: below the floor (cosine 0.113)",
        "p-2: nearly repeats p-9 (cosine 0.991)",
    ):
        assert expected in text


def test_nothing_added_and_nothing_dropped_is_said_too() -> None:
    plain = Explanation("rrf", {}, 1.0, {"semantic": 3, "lexical": 3}, (), 0.0, ())
    text = "\n".join(explanation_lines({"cases": plain}))
    assert "no lay word in the query" in text
    assert "dropped     nothing" in text
    assert "rrf: ranks of both legs, no shares" in text


def test_a_search_by_picture_says_so() -> None:
    assert list(explanation_lines({})) == ["nothing to explain: no text was searched for"]
