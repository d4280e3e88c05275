"""The texts of hits, for a reranker that reads them. What is no longer there is absent."""

from collections.abc import Mapping, Sequence

from knowledge.registry import Registry
from knowledge.types import Standing, searched_text


def passage_texts(registry: Registry, ids: Sequence[str]) -> Mapping[str, str]:
    """Of guideline passages, by id, in force or not: which of them may be found is not decided here."""
    return {
        name: searched_text(passage.text, passage.header)
        for name, passage in registry.passages(ids, frozenset(Standing)).items()
    }


def captions(registry: Registry, ids: Sequence[str]) -> Mapping[str, str]:
    """Of reference cases, by id."""
    return {name: case.caption for name, case in registry.cases(ids).items()}
