"""What a person and a program read."""

import json
import unicodedata
from dataclasses import replace
from typing import Any

from inference.lookup import SearchResult
from inference.types import (
    Abstention,
    Candidate,
    Citation,
    CitationCheck,
    Diagnosis,
    Evidence,
    EvidenceKind,
    LabelShare,
    ModelOpinion,
    Narrative,
    Opinions,
    ReportMode,
    Statement,
    Trace,
    Verdict,
)
from knowledge.types import Document, DocumentVersion, FileOutcome, Outcome, Source, VersionState
from runtime import printing
from runtime.doctor import Check

CASE = Evidence(
    "E1", EvidenceKind.CASE, "c-1", "red plaque\nwith scale", "sample", ("similar case",), 0.91,
    {"picture": 0.95, "caption": 0.5}, {"picture": 1, "caption": None}, 0, 21, label="psoriasis",
)  # fmt: skip
PASSAGE = Evidence(
    "E2", EvidenceKind.PASSAGE, "p-1", "Offer a potent\ncorticosteroid.", "Psoriasis care", ("note",), 0.7,
    {"dense": 0.7}, {"dense": 2}, 10, 40, first_page=3, last_page=4,
)  # fmt: skip
TRACE = Trace({"version": "0"}, {"total": 12.4}, {"same_lesion": 2})
DIAGNOSIS = Diagnosis(
    (Candidate("psoriasis", 0.625, None, ("E1",)), Candidate("eczema", 0.1, None, ())),
    (
        Statement("Offer a potent corticosteroid.", "psoriasis",
                  (Citation("E2", "Offer a potent\ncorticosteroid.", 10, 40, 3, Verdict.SUPPORTED),)),
        Statement("red plaque", "psoriasis", (Citation("E1", "red plaque", 0, 10, None, Verdict.PARTLY),)),
    ),
    (CASE, PASSAGE), CitationCheck(1, 2), TRACE, ("not calibrated",), "Research use.",
)  # fmt: skip
ABSTENTION = Abstention(
    "undecided",
    "The neighbours disagree.",
    "A second picture may help.",
    DIAGNOSIS.candidates,
    (),
    TRACE,
    (),
    "Research use.",
)
VERSION = DocumentVersion(
    "0" * 64, "d-1", 1, VersionState.LIVE, Source("Psoriasis"), None, 3, 17, 4_000, (), "2026-01-01T00:00:00+00:00"
)


def test_json_is_one_object_with_plain_values() -> None:
    read: dict[str, Any] = json.loads(printing.as_json(DIAGNOSIS))
    assert read["outcome"] == "diagnosis"
    assert read["ledger"][0]["kind"] == "case"
    assert read["report"][0]["citations"][0]["verdict"] == "supported"
    assert "Ödem" in printing.as_json({"text": "Ödem"})
    assert json.loads(printing.as_json({"text": "Ödem"})) == {"text": "Ödem"}


def test_a_diagnosis_shows_rank_share_evidence_quote_place_and_verdict() -> None:
    text = "\n".join(printing.answer_lines(DIAGNOSIS))
    assert "1. psoriasis" in text
    assert "62.5%" in text
    assert text.index("psoriasis") < text.index("eczema")
    assert "“Offer a potent corticosteroid.”" in text
    assert "[E2] Psoriasis care, page 3 - supported" in text
    assert "[E1] sample, reference case c-1 (psoriasis) - partly" in text
    assert "citations verified: 1/2" in text
    assert "! not calibrated" in text
    assert "leak guard kept back: 2 same_lesion" in text
    assert "time: 12 ms" in text
    assert text.endswith("Research use.")


def test_an_abstention_shows_reason_explanation_help_and_what_was_weighed() -> None:
    lines = list(printing.answer_lines(ABSTENTION))
    assert lines[:3] == ["No diagnosis (undecided)", "  The neighbours disagree.", "  A second picture may help."]
    assert any("psoriasis" in line for line in lines)
    bare = list(printing.answer_lines(replace(ABSTENTION, considered=(), trace=Trace({}, {}))))
    assert "Considered" not in bare
    assert "leak guard kept back: nothing" in bare


def test_search_shows_every_legs_score_and_rank() -> None:
    text = "\n".join(printing.search_lines(SearchResult((PASSAGE,), (CASE,), "picture", ("degraded",), {})))
    assert "1. 0.700  Psoriasis care, page 3-4" in text
    assert "Offer a potent corticosteroid." in text
    assert "dense 0.700 #2" in text
    assert "Cases (by picture)" in text
    assert "picture 0.950 #1  caption 0.500 -" in text
    assert "! degraded" in text


def test_search_that_found_nothing_says_so_for_both_kinds() -> None:
    assert list(printing.search_lines(SearchResult((), (), "text", (), {}))).count("  nothing") == 2


def test_a_refused_file_is_shown_with_page_message_and_reason() -> None:
    outcome = FileOutcome("a.pdf", Outcome.REFUSED, "timed_out", "Split it.", page=7)
    assert printing.outcome_line(outcome) == "refused    a.pdf, page 7: Split it. [timed_out]"
    assert printing.outcome_line(replace(outcome, page=None)) == "refused    a.pdf: Split it. [timed_out]"


def test_a_file_that_is_in_is_shown_with_its_counts_and_id() -> None:
    added = FileOutcome("a.pdf", Outcome.ADDED, id="d-1", pages=3, passages=17)
    assert printing.outcome_line(added) == "added      a.pdf: 3 pages, 17 passages (d-1)"
    replaced = FileOutcome("a.png", Outcome.REPLACED, id="c-1", cases=1)
    assert printing.outcome_line(replaced) == "replaced   a.png: 1 case (c-1)"


def test_totals_count_every_outcome_also_those_that_did_not_occur() -> None:
    outcomes = [
        FileOutcome("a", Outcome.ADDED, passages=2),
        FileOutcome("b", Outcome.UNCHANGED, cases=1),
        FileOutcome("c", Outcome.REFUSED),
    ]
    assert printing.totals(outcomes) == {
        "added": 1, "unchanged": 1, "replaced": 0, "refused": 1, "passages": 2, "cases": 1,
    }  # fmt: skip


def test_a_document_is_shown_with_what_is_known_of_its_source() -> None:
    known = Document("d-1", Source("Psoriasis", publisher="A society", licence="CC0-1.0"), VERSION)
    assert list(printing.document_lines(known)) == [
        "d-1  Psoriasis", "    live, 3 pages, 17 passages, 4000 bytes", "    A society, CC0-1.0",
    ]  # fmt: skip
    assert len(list(printing.document_lines(replace(known, source=Source("Psoriasis"))))) == 2


def test_a_check_shows_its_verdict_and_the_command_that_mends() -> None:
    assert printing.check_line(Check("index", True, "fine")) == "ok  index: fine"
    bad = Check("index", False, "2 files are damaged", "dermacite reindex")
    assert printing.check_line(bad) == "BAD index: 2 files are damaged  -> dermacite reindex"


# --- served models

HOSTILE = "a\x1b[31mred\x1b[0m\x07 pla\u200bque\u202e \x9b2J\r\nnext"
SHARES = (LabelShare("psoriasis", 0.75), LabelShare("eczema", 0.25))
SPOKEN = ModelOpinion("hikari-sirius", "psoriasis", "constrained", SHARES, 0.984, calibrated=False)
NARRATIVE = Narrative(
    "hikari-vega", ReportMode.GUIDED, "A red plaque. Offer a potent corticosteroid.",
    (
        Statement("A red plaque.", "psoriasis", ()),
        Statement("Offer a potent\ncorticosteroid.", "psoriasis",
                  (Citation("E2", "Offer a potent\ncorticosteroid.", 10, 40, 3, Verdict.SUPPORTED),), Verdict.SUPPORTED),
    ),
    guided_by="psoriasis",
)  # fmt: skip


def control_signs(text: str) -> set[str]:
    """What a terminal obeys or hides instead of showing it."""
    return {sign for sign in text if unicodedata.category(sign) in {"Cc", "Cf"} and sign != "\n"}


def lines_of(answer: Diagnosis | Abstention) -> list[str]:
    return list(printing.answer_lines(answer))


def test_a_narrative_is_shown_sentence_by_sentence_with_what_the_evidence_says() -> None:
    lines = lines_of(replace(DIAGNOSIS, narrative=NARRATIVE))
    start = lines.index("What hikari-vega writes of the picture (guided, told the diagnosis psoriasis)")
    assert lines[start + 1 : start + 3] == [
        "    A red plaque.  [no evidence: unsupported]",
        "    Offer a potent corticosteroid.  [E2: supported]",
    ]


def test_a_plain_narrative_was_told_nothing() -> None:
    plain = replace(NARRATIVE, mode=ReportMode.PLAIN, guided_by=None)
    assert "What hikari-vega writes of the picture (plain)" in lines_of(replace(DIAGNOSIS, narrative=plain))


def test_every_voice_is_shown_by_itself() -> None:
    group = replace(SPOKEN, profile="hikari-subaru", stated="1. Inflammatory", shares=(), label_mass=None)
    neighbours = (Candidate("eczema", 0.5, None, ()),)
    lines = lines_of(replace(DIAGNOSIS, opinions=Opinions(neighbours, SPOKEN, group)))
    assert "stage 1 (hikari-subaru): stated 1. Inflammatory (constrained); most probable not scored" in lines
    assert (
        "stage 2 (hikari-sirius): stated psoriasis (constrained); most probable psoriasis 75.0%; any of its labels: 0.98"
    ) in lines
    assert "reference cases: eczema 50.0%" in lines


def test_an_abstention_shows_the_voices_too() -> None:
    silent = replace(SPOKEN, stated=None, method="hedged")
    lines = lines_of(replace(ABSTENTION, opinions=Opinions(disease=silent)))
    assert any(line.startswith("stage 2 (hikari-sirius): stated nothing (hedged)") for line in lines)
    assert "reference cases: none" in lines


def test_without_served_models_no_voice_is_invented() -> None:
    assert not any("stage" in line or "reference cases" in line for line in lines_of(DIAGNOSIS))


def test_a_candidate_without_a_probability_is_unknown_and_shown_by_its_display() -> None:
    candidates = (Candidate("squamous", None, None, (), "squamous cell carcinoma (incl. in situ)"),)
    line = next(line for line in lines_of(replace(DIAGNOSIS, candidates=candidates)) if line.startswith("  1."))
    assert "squamous cell carcinoma (incl. in situ)" in line
    assert "unknown" in line
    assert "%" not in line


def test_nothing_that_a_model_wrote_is_obeyed_by_a_terminal() -> None:
    cited = (Citation("E2", HOSTILE, 10, 40, 3, Verdict.PARTLY),)
    hostile = replace(
        DIAGNOSIS,
        report=(Statement(HOSTILE, HOSTILE, cited),),
        narrative=replace(NARRATIVE, statements=(Statement(HOSTILE, HOSTILE, cited),), guided_by=HOSTILE),
        warnings=(HOSTILE,),
        candidates=(Candidate(HOSTILE, 0.5, None, ()),),
        opinions=Opinions((Candidate(HOSTILE, 0.5, None, ()),), replace(SPOKEN, stated=HOSTILE)),
        ledger=(replace(CASE, title=HOSTILE, label=HOSTILE), replace(PASSAGE, title=HOSTILE)),
    )
    for answer in (hostile, replace(ABSTENTION, explanation=HOSTILE, considered=hostile.candidates)):
        lines = lines_of(answer)
        assert not control_signs("\n".join(lines))
        assert not any("\n" in line for line in lines)
        assert any("red" in line for line in lines)


def test_what_a_search_found_is_not_obeyed_either() -> None:
    found = replace(PASSAGE, text=HOSTILE, title=HOSTILE)
    result = SearchResult((found,), (replace(CASE, label=HOSTILE),), "picture", (HOSTILE,), {})
    assert not control_signs("\n".join(printing.search_lines(result)))


def test_letters_signs_and_bars_are_shown_as_they_are() -> None:
    text = "Ödem – 2.5 µg “quoted” naïve 皮膚"
    lines = lines_of(replace(DIAGNOSIS, warnings=(text,)))
    assert f"! {text}" in lines
    assert any("█" in line for line in lines)
