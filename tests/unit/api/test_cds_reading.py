"""What is read out of a CDS Hooks request, however a records system lays it out, and what is refused."""

import base64
from typing import Any

import pytest

from api.cds_reading import carried
from api.errors import PrefetchUnusable
from inference.admission import MAX_NOTE


def attachment(name: str = "a", **more: Any) -> dict[str, Any]:
    return {"contentType": "image/png", "data": base64.b64encode(name.encode()).decode(), **more}


def media(name: str = "a", **more: Any) -> dict[str, Any]:
    return {"resourceType": "Media", "status": "completed", "content": attachment(name), **more}


def document(*names: str, **more: Any) -> dict[str, Any]:
    content = [{"attachment": attachment(name)} for name in names]
    return {"resourceType": "DocumentReference", "status": "current", "content": content, **more}


def searched(*resources: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": one} for one in resources]}


@pytest.mark.parametrize(
    "prefetch",
    [
        {"pictures": media("a"), "more": media("b")},
        {"pictures": searched(media("a"), media("b"))},
        {"pictures": [media("a"), media("b")]},
        {"pictures": document("a", "b")},
        {"pictures": media("a"), "documents": searched(document("b"))},
        {"pictures": media("a"), "again": document("a", "b")},
    ],
    ids=["alone", "bundle", "list", "document", "both kinds", "the same twice"],
)
def test_pictures_are_found_however_they_are_laid_out(prefetch: dict[str, Any]) -> None:
    assert carried(prefetch).attachments == (attachment("a"), attachment("b"))


def test_pictures_may_be_in_the_context() -> None:
    context = {"userId": "Practitioner/1", "patientId": "7", "drafts": searched(media("a"))}
    assert carried(None, context).attachments == (attachment("a"),)


def test_words_are_those_of_the_media_and_nothing_else() -> None:
    first = media("a", note=[{"text": " Itchy plaques. "}, {"text": ""}], bodySite={"coding": [{"display": "Elbow"}]})
    second = media("b", note=[{"text": "Itchy plaques."}, {"text": "For months."}], bodySite={"text": "knee"})
    third = document("c", description="IMG_1 Ms Example.jpg")
    patient = {"resourceType": "Patient", "name": [{"text": "Ms Example"}]}
    found = carried({"pictures": searched(first, second, third), "patient": patient})
    assert found.note == "Itchy plaques.\nFor months."
    assert found.body_site == "Elbow"


@pytest.mark.parametrize(
    "other",
    [
        media("b", status="entered-in-error"),
        media("b", content=attachment("b", contentType="video/mp4")),
        document("b", status="entered-in-error"),
        {**document(), "content": [{"attachment": attachment("b", contentType="application/pdf")}]},
        {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "processing"}]},
        {"resourceType": "Observation", "status": "final", "content": attachment("b")},
        {"resourceType": "Media", "content": "b"},
        {"resourceType": "DocumentReference", "content": {"attachment": 7}},
        {"resourceType": "Bundle", "entry": [{"resource": "b"}, 7, {"resource": None}]},
        {"resourceType": "Bundle", "entry": 7},
        {"resourceType": "Bundle", "entry": [{"resource": [[media("b")]]}]},
        searched(searched(media("b"))),
        {"resourceType": 7, "content": attachment("b")},
        None, 7, "text", [], [[media("b")]], {},
    ],
    ids=lambda other: str(other)[:60],
)  # fmt: skip
def test_what_is_no_picture_is_passed_over(other: Any) -> None:
    assert carried({"pictures": media("a"), "other": other}).attachments == (attachment("a"),)


@pytest.mark.parametrize("places", [(None, {}), ({}, {}), ({"pictures": None}, {"patientId": "7"})], ids=repr)
def test_no_picture_is_refused(places: tuple[Any, ...]) -> None:
    with pytest.raises(PrefetchUnusable, match=r"send 1 to 4 pictures in `prefetch`, .*; there is none"):
        carried(*places)


def test_more_pictures_than_one_answer_takes_are_refused() -> None:
    with pytest.raises(PrefetchUnusable, match=r"send 1 to 4 pictures .*; there are more"):
        carried({"pictures": [media(name) for name in "abcde"]})


def test_a_note_that_is_a_document_is_refused_without_repeating_it() -> None:
    with pytest.raises(PrefetchUnusable) as refused:
        carried({"pictures": media("a", note=[{"text": "Ms Example " * MAX_NOTE}])})
    assert "Example" not in str(refused.value)


@pytest.mark.parametrize("note", [7, "text", {"text": 7}, [{"text": None}], [7]], ids=repr)
def test_a_note_that_is_none_is_no_note(note: Any) -> None:
    assert carried({"pictures": media("a", note=note, bodySite=note)}).note == ""
