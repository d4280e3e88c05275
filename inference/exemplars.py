"""The exemplar classifier: neighbours vote, calibrated by leaving each reference case out of its own index.

    p(label) = (1 - e) * sum of softmax(score_i / T) over neighbours i of that label  +  e / number of labels

k, T and e minimise the mean log loss of leave-one-out votes, in which each case asks under the leak guard that protects
every consultation: it never sees itself, a near-duplicate, or another picture of its lesion, subject or source. Three
numbers are fitted to the whole index, so they say little about any one case; accuracy is not what is fitted.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.errors import CalibrationBroken
from retrieval.leakage import GuardTable, leak_guard
from retrieval.types import Vectors
from retrieval.vectors import top_rows

FILE = "calibration.json"
MAX_QUERIES = 2_000  # left-out cases; more would not move three numbers
BLOCK = 256  # rows of the similarity matrix held at a time
KS = (5, 10, 20, 50)
TEMPERATURES = (0.005, 0.01, 0.02, 0.04, 0.08, 0.16)
SMOOTHINGS = (0.02, 0.05, 0.1, 0.2)
FLOOR_QUANTILE = 0.01  # an in-domain picture falls below the similarity floor this often


@dataclass(frozen=True, slots=True)
class Calibration:
    """Parameters of the vote and what leave-one-out said of it. `similarity_floor` is a cosine.

    `queries` is 0 when nothing could be calibrated; then the parameters are defaults and answers say so.
    """

    k: int = 10
    temperature: float = 0.04
    smoothing: float = 0.1
    similarity_floor: float = 0.0
    queries: int = 0
    accuracy: float | None = None
    log_loss: float | None = None

    def save(self, folder: Path) -> None:
        """Write it beside an index generation."""
        (folder / FILE).write_text(json.dumps(asdict(self), indent=2))

    @classmethod
    def load(cls, folder: Path | None) -> "Calibration":
        """The calibration of a generation; defaults when there is no generation. Raises CalibrationBroken."""
        if folder is None:
            return cls()
        try:
            return cls(**json.loads((folder / FILE).read_text("utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise CalibrationBroken("the index has no readable calibration. Mend it: dermacite reindex") from error


def vote(
    neighbours: Sequence[tuple[str, float]], labels: Sequence[str], calibration: Calibration
) -> list[tuple[str, float]]:
    """(label, probability) for every one of `labels`, descending, then by label. `neighbours` are (label, score)."""
    best = list(neighbours[: calibration.k])
    share = dict.fromkeys(labels, calibration.smoothing / len(labels)) if labels else {}
    weights = _softmax(np.array([score for _, score in best], dtype=np.float64) / calibration.temperature)
    for (label, _), weight in zip(best, weights, strict=True):
        share[label] = share.get(label, 0.0) + (1 - calibration.smoothing) * float(weight)
    return sorted(share.items(), key=lambda item: (-item[1], item[0]))


def calibrate(pictures: Vectors, labels: Sequence[str], table: GuardTable, *, seed: int = 0) -> Calibration:
    """Fit the vote to an index. `pictures` [n, dimension], `labels` [n], `table` of the same rows; absent rows do not vote."""
    eligible = np.flatnonzero(table.present & ~table.held_out)
    queries = np.sort(np.random.default_rng(seed).permutation(eligible)[:MAX_QUERIES])
    names = sorted({label for label, there in zip(labels, table.present, strict=True) if there})
    if len(names) < 2 or len(queries) < 2:
        return Calibration()
    codes = np.searchsorted(names, labels)
    found, scores = _leave_one_out(pictures, table, queries)
    has_neighbour = np.isfinite(scores[:, 0])
    queries, found, scores = queries[has_neighbour], found[has_neighbour], scores[has_neighbour]
    if len(queries) == 0:
        return Calibration()
    truth = codes[queries]
    fits = []
    for k, temperature, smoothing in product(KS, TEMPERATURES, SMOOTHINGS):
        probabilities = _votes(codes[found[:, :k]], scores[:, :k], len(names), temperature, smoothing)
        loss = float(-np.log(probabilities[np.arange(len(truth)), truth]).mean())
        hits = float((probabilities.argmax(axis=1) == truth).mean())
        fits.append((loss, k, temperature, smoothing, hits))
    loss, k, temperature, smoothing, hits = min(fits)
    floor = float(np.quantile(scores[:, 0], FLOOR_QUANTILE))
    return Calibration(k, temperature, smoothing, floor, len(queries), hits, loss)


def _leave_one_out(
    pictures: Vectors, table: GuardTable, queries: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """[q, max(KS)] rows and cosines of each query's neighbours; missing ones have row 0 and -inf."""
    width = max(KS)
    rows = np.zeros((len(queries), width), dtype=np.int64)
    scores = np.full((len(queries), width), -np.inf)
    for start in range(0, len(queries), BLOCK):
        block = queries[start : start + BLOCK]
        similarity = pictures[block] @ pictures.T
        for at, query in enumerate(block):
            similarity[at, ~leak_guard(table, table.probe_of(int(query))).allowed] = -np.inf
            best = top_rows(similarity[at], width)
            rows[start + at, : len(best)] = best
            scores[start + at, : len(best)] = similarity[at, best]
    return rows, scores


def _votes(
    codes: NDArray[np.int64], scores: NDArray[np.float64], labels: int, temperature: float, smoothing: float
) -> NDArray[np.float64]:
    """[q, labels] probabilities; the same formula as `vote`, for many queries at once."""
    weights = _softmax(scores / temperature)
    votes = np.zeros((len(codes), labels))
    np.add.at(votes, (np.arange(len(codes))[:, None], codes), weights)
    return (1 - smoothing) * votes + smoothing / labels


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    if logits.size == 0:
        return logits
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    weights: NDArray[np.float64] = shifted / shifted.sum(axis=-1, keepdims=True)
    return weights
