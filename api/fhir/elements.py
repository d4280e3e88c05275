"""The small pieces of FHIR R4: text it can hold, concepts, quantities, and the resources of one bundle by name."""

import hashlib
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from litestar.serialization import encode_json

from inference.types import Answer

Resource = dict[str, Any]

OWN = "urn:dermacite"  # our own codes and identifiers; those of a terminology are only used where they say the same
UCUM = "http://unitsofmeasure.org"
ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
AI_ASSERTED: Resource = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "AIAST",
    "display": "Artificial Intelligence asserted",
}

_DIGITS = 6  # of a probability; more says nothing
_NAMES = uuid.UUID("6f0c4b6e-5a0d-4c3c-9d0e-2f6b7c1f3a58")  # the name space of our ids
# What neither FHIR's strings nor the XHTML of a narrative can hold.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class About:
    """What a bundle says beside its answer, and what tells it from others.

    `base` is the address of this service without a slash at its end, `pictures` are the sha256 of the pictures: answers
    to different pictures never share an id, even where they say the same in the same moment. They stand nowhere else.
    """

    at: datetime
    base: str
    pictures: tuple[str, ...] = ()
    patient: str | None = None  # a FHIR reference, as the caller gave it


@dataclass(frozen=True, slots=True)
class Frame:
    """What the resources of one bundle share. They are known by names such as "statement 1" until they have ids."""

    about: About
    seed: str

    @property
    def at(self) -> str:
        """The time of the answer as a FHIR instant."""
        return self.about.at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

    def id_of(self, name: str) -> str:
        """The id of a resource: a uuid from the content, so that the same answer is the same resource."""
        return str(uuid.uuid5(_NAMES, f"{self.seed} {name}"))

    def reference(self, name: str) -> Resource:
        """A reference to a resource of this bundle."""
        return {"reference": f"urn:uuid:{self.id_of(name)}"}

    def references(self, names: Sequence[str]) -> list[Resource]:
        """One to each, without repeating any."""
        return [self.reference(name) for name in dict.fromkeys(names)]

    def subject(self) -> Resource:
        """Whom it is about: only where the caller said so."""
        return {"subject": {"reference": self.about.patient}} if self.about.patient else {}

    def resource(self, kind: str, name: str, *, asserted: bool = True, **members: Any) -> Resource:
        """A resource; members that are empty are left out. `asserted`: it is a claim of this software."""
        meta = {"meta": {"security": [AI_ASSERTED]}} if asserted else {}
        return {"resourceType": kind, "id": self.id_of(name), **meta, **filled(members)}


def frame_of(answer: Answer, about: About) -> Frame:
    """Ids follow from everything that is said, when and of which pictures; not from how long it took to say."""
    timeless = replace(answer, trace=replace(answer.trace, timings_ms={}, kept_as=None))
    said = encode_json([timeless, about.at.astimezone(UTC).isoformat(), about.base, about.pictures, about.patient])
    return Frame(about, hashlib.sha256(said).hexdigest())


def filled(members: dict[str, Any]) -> dict[str, Any]:
    """Without what is None or empty, which FHIR forbids."""
    return {name: value for name, value in members.items() if value is not None and value not in ("", [], {})}


def plain(words: str) -> str:
    """Text as FHIR takes it: without control characters and blanks at its ends; maybe empty, and then to be left out."""
    return _FORBIDDEN.sub(" ", words).strip()


def concept(words: str, *codings: Resource) -> Resource:
    """A concept in words, with codes where there are any."""
    return filled({"coding": list(codings), "text": plain(words)}) or {"text": "(no text)"}


def own_code(system: str, code: str) -> Resource:
    """A code of ours."""
    return {"system": f"{OWN}:{system}", "code": code}


def identifier(system: str, value: str) -> Resource:
    """An identifier of ours."""
    return {"system": f"{OWN}:{system}", "value": value}


def absent(code: str, words: str = "", *codings: Resource) -> Resource:
    """The member that says why there is no value."""
    return {"dataAbsentReason": concept(words, {"system": ABSENT, "code": code}, *codings)}


def probability(value: float | None) -> Resource:
    """The member for a probability, 0..1; a server that cannot say how sure it is gives none."""
    if value is None:
        return absent("unsupported", "the model's server gives no probabilities")
    return {"valueQuantity": {"value": round(value, _DIGITS), "unit": "1", "system": UCUM, "code": "1"}}


def string(words: str) -> Resource:
    """The member for a text."""
    return {"valueString": plain(words)} if plain(words) else absent("unknown")


def notes(*texts: str) -> list[Resource]:
    """Annotations."""
    return [{"text": plain(text)} for text in texts if plain(text)]
