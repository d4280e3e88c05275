"""The cases to look at first: answered wrongly, and with the most confidence."""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from PIL import Image

from evaluation.measures.calibration import confidence
from evaluation.records import CaseRecord, Result
from evaluation.report.blocks import Card, Cards, Section, Text
from evaluation.report.reading import Run
from evaluation.report.wording import counted, listed, plain
from knowledge.errors import KnowledgeError
from knowledge.licences import WITHHELD, terms_of
from knowledge.pictures import admit_picture

SHOWN: Final = 12  # cases
SIDE: Final = 320  # px of a picture's longer side
QUALITY: Final = 80  # of its JPEG
EVIDENCE: Final = 5  # labels of reference cases

Pictures = Callable[[str], bytes | None]  # case -> the file; None where there is none. May raise OSError, KnowledgeError


def worst(run: Run, pictures: Pictures | None) -> Section:
    """Each case once, in the order of the most confident wrong answer that any arm gave."""
    wrong = [one for records in run.records.values() for one in records if one.result is Result.WRONG]
    if not wrong:
        return Section("worst", "Worst cases", [Text("No answer was wrong.")])
    by_case: dict[str, list[CaseRecord]] = {}
    for one in sorted(wrong, key=_place):
        by_case.setdefault(one.case, []).append(one)
    chosen = list(by_case.items())[:SHOWN]
    text = (
        f"{counted(len(by_case), 'case was', 'cases were')} answered wrongly by some arm; shown are {len(chosen)}, those first whose "
        "wrong answer had the highest confidence. A picture is shown where its licence allows and it could be read."
    )
    cards = [_card(run, case, worst_of[0], pictures) for case, worst_of in chosen]
    return Section("worst", "Worst cases", [Text(text), Cards(cards)])


def _place(record: CaseRecord) -> tuple[float, str, str, int]:
    sure = confidence(record)
    return (1.0 if sure is None else -sure, record.case, record.arm, record.seed)


def _card(run: Run, case: str, record: CaseRecord, pictures: Pictures | None) -> Card:
    facts = run.facts.get(case)
    picture, withheld = _picture(case, facts, pictures)
    allowed = facts is not None and terms_of(facts.get("licence")).show
    return Card(
        title=f"Case {case}",
        picture=picture,
        withheld=withheld,
        alt=f"Picture of case {case}, labelled {record.label}",
        credit=_credit(facts) if picture and facts is not None else "",
        facts={**_answers(run, case, record), **(_captions(record) if allowed else {})},
    )


def _answers(run: Run, case: str, worst_of: CaseRecord) -> dict[str, str]:
    said = {"truth": worst_of.label}
    for arm, records in run.records.items():
        own = [one for one in records if one.case == case]
        if own:
            said[arm] = ", ".join(dict.fromkeys(_answer(one) for one in own))
    seen = [one.label for one in worst_of.evidence if one.kind == "case" and one.label is not None]
    if seen:
        said[f"reference cases of {worst_of.arm}"] = listed(seen, EVIDENCE)
    if worst_of.caption:
        said[f"written by {worst_of.arm}"] = worst_of.caption
    return said


def _answer(record: CaseRecord) -> str:
    sure = confidence(record)
    if record.result in (Result.CORRECT, Result.WRONG):
        return f"{record.first} ({record.result}{'' if sure is None else f', {plain(sure)}'})"
    return f"{record.result}{f': {record.reason}' if record.reason else ''}"


def _captions(record: CaseRecord) -> dict[str, str]:
    return {"caption of the data set": record.reference_caption} if record.reference_caption else {}


def _picture(
    case: str, facts: Mapping[str, Any] | None, pictures: Pictures | None
) -> tuple[str | None, str]:
    """A data URI, or why there is none. What is not known to be a case of the data set has no licence that allows it."""
    if pictures is None:
        return None, "no picture: none were given to this report"
    if facts is None:
        return None, "no picture: its licence is not recorded in this run"
    if not terms_of(facts.get("licence")).show:
        return None, WITHHELD
    try:
        data = pictures(case)
        return (None, "no picture: it is not there") if data is None else (_embedded(data), "")
    except (OSError, KnowledgeError):
        return None, "no picture: it could not be read"


def _embedded(data: bytes) -> str:
    """Small, upright, without metadata. Raises PictureRefused."""
    image = Image.fromarray(admit_picture(data).rgb)
    image.thumbnail((SIDE, SIDE))
    written = io.BytesIO()
    image.save(written, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(written.getvalue()).decode("ascii")


def _credit(facts: Mapping[str, Any]) -> str:
    licence = facts.get("licence")
    terms = terms_of(licence)
    parts: Sequence[str | None] = (
        str(licence) if licence else None,
        None if terms.known else "licence not known: do not pass this picture on",
        "not for commercial use" if terms.known and terms.non_commercial else None,
        *(str(facts[name]) for name in ("dataset", "source") if facts.get(name)),
    )
    return " · ".join(filter(None, parts))
