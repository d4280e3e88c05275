"""Is something FHIR R4? Two libraries that know nothing of each other, and rules of the standard that neither holds."""

import json
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from fhir.resources.R4B.bundle import Bundle
from fhirclient.models.bundle import Bundle as ExactBundle
from pydantic import BaseModel

XHTML = "{http://www.w3.org/1999/xhtml}"


def must_be_r4(bundle: dict[str, Any]) -> None:
    """Fails unless a bundle is valid, complete in itself, and the same after it went through either library."""
    assert json.loads(json.dumps(bundle)) == bundle
    model = Bundle.model_validate(bundle)
    assert json.loads(model.model_dump_json()) == bundle  # R4B, which has these resources as R4 has them
    assert ExactBundle(bundle).as_json() == bundle  # exactly 4.0.1
    kinds = _entries(bundle)
    for part in _models(model):
        _check_codes_and_references(part, kinds)
    for value in _values(bundle):
        assert value not in (None, "", [], {})
    for resource in resources(bundle):
        _check_narrative(resource)


def resources(bundle: dict[str, Any], kind: str | None = None) -> list[dict[str, Any]]:
    """Those of one kind, or all."""
    found = [entry["resource"] for entry in bundle["entry"]]
    return [one for one in found if kind in (None, one["resourceType"])]


def resolved(bundle: dict[str, Any], reference: dict[str, Any]) -> dict[str, Any]:
    """What a reference within the bundle means."""
    [found] = [one["resource"] for one in bundle["entry"] if one["fullUrl"] == reference["reference"]]
    assert isinstance(found, dict)
    return found


def _entries(bundle: dict[str, Any]) -> dict[str, str]:
    """Kind by address; every address is there once and says the id (bdl-7, bdl-8)."""
    kinds = {entry["fullUrl"]: entry["resource"]["resourceType"] for entry in bundle["entry"]}
    assert len(kinds) == len(bundle["entry"])
    assert set(kinds) == {f"urn:uuid:{entry['resource']['id']}" for entry in bundle["entry"]}
    return kinds


def _models(value: Any) -> Iterator[BaseModel]:
    if isinstance(value, BaseModel):
        yield value
        for name in type(value).model_fields:
            yield from _models(getattr(value, name))
    elif isinstance(value, list):
        for one in value:
            yield from _models(one)


def _check_codes_and_references(part: BaseModel, kinds: dict[str, str]) -> None:
    """Codes with a required binding, and what a reference may point at: fhir.resources knows both and checks neither."""
    for name, described in type(part).model_fields.items():
        extra = described.json_schema_extra
        value = getattr(part, name)
        if not isinstance(extra, dict) or value is None:
            continue
        codes, targets = extra.get("enum_values"), extra.get("enum_reference_types")
        for one in value if isinstance(value, list) else [value]:
            if isinstance(codes, list):
                assert one in codes, (name, one)
            if isinstance(targets, list) and one.reference is not None:
                kind = kinds[one.reference] if one.reference.startswith("urn:uuid:") else "Patient"
                assert kind in targets or "Resource" in targets, (name, kind)


def _values(value: Any) -> Iterator[Any]:
    yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _values(one)


def _check_narrative(resource: dict[str, Any]) -> None:
    """Well-formed, and of nothing but paragraphs and lists: no text became markup."""
    if "text" in resource:
        root = ElementTree.fromstring(resource["text"]["div"])
        assert {one.tag for one in root.iter()} <= {f"{XHTML}{tag}" for tag in ("div", "p", "ul", "li")}
