"""Leave-one-lesion-out: every reference case once as a consultation, through the pipeline that is served.

    python -m evaluation.leave_one_out --home DIR [--out RESULTS.jsonl]

The case itself, its near-duplicates and all other pictures of its lesion and subject are kept from the answer by the leak
guard that protects every consultation; how often one of them slipped through is counted and must be 0.
"""

import argparse
import asyncio
import json
import random
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import click

from evaluation.statistics import wilson
from inference.types import Answer, Consultation, Diagnosis
from knowledge.types import ReferenceCase
from runtime.service import Service, open_service
from runtime.settings import default_home, load_settings

SEEDS = range(20)  # of the random-vote baseline


class Result(StrEnum):
    """What became of one case. An abstention is neither right nor wrong."""

    CORRECT = "correct"
    WRONG = "wrong"
    ABSTAINED = "abstained"


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One line of the results. `first` is the label the vote put first, also where the service then declined."""

    case: str
    label: str
    result: Result
    first: str | None
    reason: str | None
    voters: int
    kin_among_voters: int


@dataclass(frozen=True, slots=True)
class Summary:
    """Shares 0..1 over all cases unless a name says otherwise; intervals are Wilson's at 95 %."""

    cases: int
    labels: int
    answered: float
    accuracy_of_answered: float
    accuracy_of_answered_interval: tuple[float, float]
    first_label_accuracy: float
    first_label_accuracy_interval: tuple[float, float]
    balanced_first_label_accuracy: float
    random_vote_accuracy: float
    most_frequent_label: float
    answers_with_kin: int


async def evaluate(service: Service) -> list[CaseResult]:
    """Every live case in order of its id."""
    registry = service.registry
    cases = registry.cases([case_id for case_id, *_ in registry.case_captions()])
    results = []
    with click.progressbar(sorted(cases), label="diagnosing", file=sys.stderr) as ids:
        for case_id in ids:
            case = cases[case_id]
            picture = service.admit(service.blobs.get(case.picture))
            consultation = Consultation((picture,), lesion=case.lesion, subject=case.subject)
            results.append(_judged(case, await service.pipeline.diagnose(consultation), cases))
    return results


def _judged(case: ReferenceCase, answer: Answer, cases: Mapping[str, ReferenceCase]) -> CaseResult:
    voters = [cases[voter] for voter in answer.trace.voters]
    ranked = answer.candidates if isinstance(answer, Diagnosis) else answer.considered
    first = ranked[0].label if ranked else None
    result = Result.CORRECT if first == case.label else Result.WRONG
    declined = None if isinstance(answer, Diagnosis) else answer.reason
    return CaseResult(
        case=case.id,
        label=case.label,
        result=Result.ABSTAINED if declined else result,
        first=first,
        reason=declined,
        voters=len(voters),
        kin_among_voters=sum(_kin(case, voter) for voter in voters),
    )


def _kin(case: ReferenceCase, other: ReferenceCase) -> bool:
    same_lesion = case.lesion is not None and case.lesion == other.lesion
    same_subject = case.subject is not None and case.subject == other.subject
    return case.id == other.id or (case.dataset == other.dataset and (same_lesion or same_subject))


def summarise(results: Sequence[CaseResult], cases: Mapping[str, ReferenceCase], voters: int) -> Summary:
    """The figures of one run; `voters` is how many neighbours voted, for the random-vote baseline."""
    answered = [one for one in results if one.result is not Result.ABSTAINED]
    right = sum(one.result is Result.CORRECT for one in answered)
    first = sum(one.first == one.label for one in results)
    labels = Counter(one.label for one in results)
    return Summary(
        cases=len(results),
        labels=len(labels),
        answered=len(answered) / len(results),
        accuracy_of_answered=right / len(answered) if answered else 0.0,
        accuracy_of_answered_interval=wilson(right, len(answered)),
        first_label_accuracy=first / len(results),
        first_label_accuracy_interval=wilson(first, len(results)),
        balanced_first_label_accuracy=_balanced(results, labels),
        random_vote_accuracy=_random_vote(cases, voters),
        most_frequent_label=max(labels.values()) / len(results),
        answers_with_kin=sum(one.kin_among_voters > 0 for one in results),
    )


def _balanced(results: Sequence[CaseResult], labels: Counter[str]) -> float:
    hits = Counter(one.label for one in results if one.first == one.label)
    return sum(hits[label] / number for label, number in labels.items()) / len(labels)


def _random_vote(cases: Mapping[str, ReferenceCase], voters: int) -> float:
    """Mean accuracy when as many random cases (no kin) vote with equal weight; ties by label."""
    return sum(_random_hits(list(cases.values()), voters, random.Random(seed)) for seed in SEEDS) / len(SEEDS)  # noqa: S311 (no secret)


def _random_hits(cases: Sequence[ReferenceCase], voters: int, source: random.Random) -> float:
    hits = 0
    for case in cases:
        others = [one.label for one in cases if not _kin(case, one)]
        votes = Counter(source.sample(others, min(voters, len(others))))
        hits += min(votes, key=lambda label: (-votes[label], label)) == case.label if votes else 0
    return hits / len(cases)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=default_home(), help="folder of the knowledge base")
    parser.add_argument("--out", type=Path, help="where to write one JSON line per case")
    given = parser.parse_args()
    service = open_service(given.home, load_settings(given.home))
    try:
        results = asyncio.run(evaluate(service))
        if not results:
            sys.exit("Refused: there are no cases in this home. Ingest some: dermacite ingest cases FOLDER")
        cases = service.registry.cases([one.case for one in results])
        voters = max(one.voters for one in results)
    finally:
        service.close()
    if given.out is not None:
        given.out.write_text("".join(_lines(results)), "utf-8")
    sys.stdout.write(json.dumps(asdict(summarise(results, cases, voters)), indent=2) + "\n")


def _lines(results: Sequence[CaseResult]) -> Iterator[str]:
    return (json.dumps(asdict(one)) + "\n" for one in results)


if __name__ == "__main__":
    main()
