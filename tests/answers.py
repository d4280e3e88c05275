"""Answers for tests: hypothesis strategies for any diagnosis and any abstention, however odd their texts are."""

from typing import Any

from hypothesis import strategies as st

from inference.types import (
    Abstention,
    Answer,
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
    StageRecord,
    Statement,
    Trace,
    Verdict,
)
from knowledge.types import Standing

# Every character that JSON can hold, and often those that a format gives a meaning of its own.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.text(
    "<>&\"'`*_[]()!#|\\~:/@\x00\n\t a", max_size=20
)
names = st.from_regex(r"[a-z][a-z0-9_-]{0,11}", fullmatch=True)
shares = st.floats(0, 1)
keys = st.sampled_from([f"E{number}" for number in range(1, 7)]) | texts
verdicts = st.sampled_from(Verdict)


def _maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def _some(strategy: st.SearchStrategy[Any], most: int = 3) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(strategy, max_size=most).map(tuple)


candidates = st.builds(Candidate, texts, _maybe(shares), _maybe(texts), _some(keys), _maybe(texts))
citations = st.builds(
    Citation, keys, texts, st.integers(0, 99), st.integers(0, 99), _maybe(st.integers(1, 99)), verdicts, _maybe(texts),
    _maybe(shares),
)  # fmt: skip
statements = st.builds(Statement, texts, texts, _some(citations), verdicts)
opinions = st.builds(
    ModelOpinion,
    names,
    _maybe(texts),
    names,
    _some(st.builds(LabelShare, texts, shares)),
    _maybe(shares),
    st.booleans(),
)
narratives = st.builds(
    Narrative, names, st.sampled_from(ReportMode), texts, _some(statements), _maybe(texts), _some(texts), _maybe(texts)
)
stages = st.builds(
    StageRecord, names, names, texts, texts, names, st.from_regex(r"[0-9a-f]{16}", fullmatch=True), names, st.just(1),
    st.just(()), st.just(()), st.just("bound"), st.none(), st.just(1), st.none(), st.none(), _some(texts),
)  # fmt: skip
configurations = st.fixed_dictionaries(
    {},
    optional={
        "version": texts,
        "preset": _maybe(texts),
        "encoders": st.dictionaries(names, st.fixed_dictionaries({"model": texts, "fingerprint": names}), max_size=2),
        "index": st.fixed_dictionaries({"generation": _maybe(names), "corpus_generation": st.integers(0, 9)}),
        "classifier": st.fixed_dictionaries({"name": texts}),
        "models": st.dictionaries(names, st.fixed_dictionaries({"revision": _maybe(texts)}), max_size=2),
    },
)
traces = st.builds(Trace, configurations, st.just({}), stages=_some(stages), kept_as=_maybe(names))


@st.composite
def ledgers(draw: st.DrawFn) -> tuple[Evidence, ...]:
    """Up to six pieces with the keys that a ledger has."""
    count = draw(st.integers(0, 6))
    return tuple(draw(_piece(f"E{number}")) for number in range(1, count + 1))


def _piece(key: str) -> st.SearchStrategy[Evidence]:
    return st.builds(
        Evidence, st.just(key), st.sampled_from(EvidenceKind), names, texts, texts, _some(texts), shares, st.just({}),
        st.just({}), st.integers(0, 99), st.integers(0, 99), licence=_maybe(texts), label=_maybe(texts),
        picture=_maybe(names), document_id=_maybe(names), version_id=_maybe(names), section=_some(texts),
        first_page=_maybe(st.integers(1, 99)), last_page=_maybe(st.integers(1, 99)), standing=_maybe(st.sampled_from(Standing)),
    )  # fmt: skip


_voices = st.builds(Opinions, _some(candidates), _maybe(opinions), _maybe(opinions))
diagnoses: st.SearchStrategy[Diagnosis] = st.builds(
    Diagnosis, _some(candidates), _some(statements), ledgers(), st.builds(CitationCheck, st.integers(0, 9), st.integers(0, 9)),
    traces, _some(texts), texts, _voices, _maybe(narratives),
)  # fmt: skip
abstentions: st.SearchStrategy[Abstention] = st.builds(
    Abstention, names, texts, texts, _some(candidates), ledgers(), traces, _some(texts), texts, _voices
)
answers: st.SearchStrategy[Answer] = diagnoses | abstentions
