"""What a CDS Hooks request carries: pictures, and the words beside them, out of FHIR R4 resources.

Only what is in the request counts. Nothing is fetched from `fhirServer`, and its access token is never looked at.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from api.admitting import decoded
from api.backend import Backend
from api.errors import PicturesRefused, PrefetchUnusable
from inference.admission import MAX_NOTE
from inference.types import MAX_PICTURES, Consultation
from knowledge.errors import PictureRefused
from knowledge.pictures import Picture

MAX_SITE = 500  # characters
_CARRIERS = ("Media", "DocumentReference")
_ASKED = f"send 1 to {MAX_PICTURES} pictures in `prefetch`, as Media or DocumentReference with inline base64 content"
_NOT_INLINE = "it is not in the request. Send its content as base64 `data`; nothing is fetched."
_NOT_BASE64 = "its `data` is not base64."

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Carried:
    """Attachments that are pictures, in their order, and what their resources say about them."""

    attachments: tuple[Json, ...]
    note: str
    body_site: str | None


def carried(*places: Any) -> Carried:
    """What prefetch and context carry. A picture that comes twice is one. Raises PrefetchUnusable."""
    resources = [one for place in places for one in _resources(place)]
    attachments: list[Json] = []
    for one in (attachment for resource in resources for attachment in _attachments(resource)):
        if one not in attachments:
            attachments.append(one)
        if len(attachments) > MAX_PICTURES:  # at once: each is compared with all before it
            raise PrefetchUnusable(f"{_ASKED}; there are more", [])
    if not attachments:
        raise PrefetchUnusable(f"{_ASKED}; there is none", [])
    media = [one for one in resources if one.get("resourceType") == "Media"]
    note = "\n".join(dict.fromkeys(text for one in media for text in _notes(one)))
    if len(note) > MAX_NOTE:
        raise PrefetchUnusable(f"the notes of the pictures are longer than {MAX_NOTE} characters; shorten them", [])
    return Carried(tuple(attachments), note, next((site for one in media if (site := _site(one))), None))


async def consultation_of(found: Carried, backend: Backend) -> Consultation:
    """The consultation, with every picture decoded. Raises PrefetchUnusable naming each bad one by its number, from 1."""
    try:
        pictures = await decoded(backend, [partial(_picture, one, backend) for one in found.attachments])
    except PicturesRefused as error:
        raise PrefetchUnusable(str(error), error.errors or ()) from error
    return Consultation(tuple(pictures), found.note, body_site=found.body_site)


def _picture(attachment: Json, backend: Backend) -> Picture:
    data = attachment.get("data")
    if not isinstance(data, str) or not data:
        raise PictureRefused("not_inline", _NOT_INLINE)
    try:
        # FHIR allows white space within base64.
        content = base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        raise PictureRefused("not_base64", _NOT_BASE64) from None
    return backend.service.admit(content)


def _resources(place: Any) -> Iterator[Json]:
    """The resources among the values of `prefetch` or `context`: each alone, in a list, or in a Bundle."""
    for value in _dicts(place.values() if isinstance(place, Mapping) else ()):
        if value.get("resourceType") == "Bundle":
            yield from _dicts([entry.get("resource") for entry in _dicts(value.get("entry"))])
        else:
            yield value


def _dicts(values: Any) -> list[Json]:
    """Those of some JSON values that are objects, also one list deep; anything else is passed over."""
    if isinstance(values, Mapping | str) or not hasattr(values, "__iter__"):
        return []
    flat = [inner for one in values for inner in (one if isinstance(one, list) else [one])]
    return [one for one in flat if isinstance(one, Mapping)]


def _attachments(resource: Json) -> list[Json]:
    """Pictures of a resource that was not entered in error."""
    if resource.get("resourceType") not in _CARRIERS or resource.get("status") == "entered-in-error":
        return []
    contents = _dicts([resource.get("content")])
    if resource["resourceType"] == "DocumentReference":
        contents = _dicts([one.get("attachment") for one in contents])
    return [one for one in contents if str(one.get("contentType", "image/")).lower().startswith("image/")]


def _notes(media: Json) -> list[str]:
    texts: Sequence[Any] = [one.get("text") for one in _dicts([media.get("note")])]
    return [text.strip() for text in texts if isinstance(text, str) and text.strip()]


def _site(media: Json) -> str | None:
    """Where on the body, in words."""
    for site in _dicts([media.get("bodySite")]):
        words = [site.get("text"), *(one.get("display") for one in _dicts([site.get("coding")]))]
        return next((one.strip()[:MAX_SITE] for one in words if isinstance(one, str) and one.strip()), None)
    return None
