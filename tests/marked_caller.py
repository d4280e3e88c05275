"""A caller who puts a mark into everything that can carry one, and asks every route in good and in bad ways."""

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx

from tests import hostile
from tests.marks import Marks, photograph, tiny
from tests.sample import guideline

FORM_BOUNDARY = "zqboundaryzq"
WORDS = ("note", "lesion", "subject", "source", "body_site")


@dataclass
class Caller:
    """Sends marked requests, and remembers every answer that is an error."""

    client: httpx.Client
    marks: Marks
    names: Marks
    statuses: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def send(self, what: str, method: str, path: str, *, expected: Sequence[int], **more: Any) -> httpx.Response:
        headers = {**self.headers, **more.pop("headers", {})}
        response = self.client.request(method, path, headers=headers, **more)
        assert response.status_code in expected, (what, response.status_code, response.text)
        if response.status_code >= 400:
            self.problems.append(response.text)
        self.problems.append(str(response.headers))
        self.statuses[what] = response.status_code
        return response

    @property
    def headers(self) -> dict[str, str]:
        """Where browsers and proxies put words."""
        marks = self.marks
        return {
            "User-Agent": marks["agent"], "Referer": f"http://{marks['referer']}/", "Cookie": f"who={marks['cookie']}",
            "X-Request-Id": marks["request_id"], "X-Forwarded-For": marks["forwarded"], "Accept-Language": marks["language"],
            "traceparent": f"00-{'1' * 32}-{'2' * 16}-01", "tracestate": f"a={marks['tracestate']}",
        }  # fmt: skip


def consult(caller: Caller) -> None:
    """Consultations that work, that decline, and that are refused for every reason a request can give."""
    marks = caller.marks
    request = {name: f"silvery scale {marks[name]}" for name in WORDS} | {"age": 41}
    good = photograph(marks, 1)
    file = {"images": (f"{marks['picture_name']}.jpg", good, f"image/{marks['content_type']}")}
    query = f"?patient={marks['query']}&{marks['query_name']}=1"
    for path in ("/v1/diagnoses", "/v1/diagnoses/counterfactual"):
        send = f"{path}{query}"
        caller.send(f"{path} good", "POST", send, files=file, data={"request": json.dumps(request)}, expected=[200])
        bad = {
            "long note": json.dumps(request | {"note": marks["long_note"] * 2_000}),
            "unknown field": json.dumps(request | {marks["unknown_field"]: marks["unknown_value"]}),
            "wrong type": json.dumps(request | {"age": marks["age"], "sex": marks["sex"]}),
            "no JSON": f"{{{marks['no_json']}",
            "unknown filter": json.dumps(request | {"options": {"filters": {"label": marks["label"]}}}),
            "unknown prompt": json.dumps(request | {"options": {"prompt": marks["prompt"], "references": 2}}),
        }
        for what, text in bad.items():
            told = [200] if what == "unknown filter" else [400, 422]  # an abstention that names what there is instead
            caller.send(f"{path} {what}", "POST", send, files=file, data={"request": text}, expected=told)
        for what, data in {
            "no picture": marks["bytes"].encode() * 50, "cut": good[: len(good) // 2], "tiny": tiny(marks),
        }.items():  # fmt: skip
            broken = {"images": (f"{marks['bad_name']}.png", data, "image/png")}
            caller.send(f"{path} {what}", "POST", send, files=broken, expected=[415, 422])
        caller.send(f"{path} other field", "POST", send, files=file | {marks["part"]: ("a", b"b")}, expected=[200, 400])
    events = {"Accept": "text/event-stream"}
    caller.send(
        "stream",
        "POST",
        "/v1/diagnoses",
        files=file,
        data={"request": json.dumps(request)},
        headers=events,
        expected=[200],
    )
    caller.send(
        "PNG",
        "POST",
        "/v1/diagnoses",
        files={"images": (f"{marks['png_name']}.png", photograph(marks, 2, "PNG"))},
        expected=[200],
    )
    text = json.dumps({"text": f"scale {marks['beside_picture']}", "filters": {"dataset": [marks["dataset"]]}})
    caller.send(
        "search by picture",
        "POST",
        f"/v1/search/picture{query}",
        files={"image": file["images"]},
        data={"request": text},
        expected=[200, 422],
    )


def exchange(caller: Caller) -> None:
    """As a records system asks: for FHIR, and by a hook that carries pictures, notes and more than we look at."""
    marks = caller.marks
    file = {"images": (f"{marks['fhir_name']}.jpg", photograph(marks, 3))}
    request = {"note": f"scale {marks['fhir_note']}", "patient": f"Patient/{marks['patient']}", "fhir": True}
    for accepted in ("application/fhir+json", "text/event-stream"):
        more = {"headers": {"Accept": accepted}, "data": {"request": json.dumps(request)}}
        caller.send(accepted, "POST", "/v1/diagnoses", files=file, expected=[200], **more)
    media = {
        "resourceType": "Media", "id": marks["media_id"], "subject": {"display": marks["subject_name"]},
        "bodySite": {"text": marks["hook_site"]}, "note": [{"text": f"scale {marks['hook_note']}"}],
        "content": {
            "contentType": "image/jpeg", "title": marks["attachment"],
            "data": base64.b64encode(photograph(marks, 4)).decode(),
        },
    }  # fmt: skip
    hook = {
        "hook": "patient-view", "hookInstance": str(UUID(int=7)), "fhirServer": f"https://{marks['fhir_server']}.example",
        "fhirAuthorization": {"access_token": marks["token"]}, "prefetch": {"pictures": media},
        "context": {"patientId": marks["patient_id"], "userId": f"Practitioner/{marks['user']}"},
    }  # fmt: skip
    path = f"/cds-services/dermacite?q={marks['hook_query']}"
    caller.send("hook", "POST", path, json=hook, expected=[200])
    for what, content in {"no base64": {"data": marks["no_base64"]}, "elsewhere": {"url": marks["url"]}}.items():
        bad = hook | {"prefetch": {"pictures": media | {"content": content}}}
        caller.send(f"hook {what}", "POST", path, json=bad, expected=[412])


def raw(caller: Caller) -> None:
    """Bodies that no library would write."""
    marks = caller.marks
    kind = {"Content-Type": f"multipart/form-data; boundary={FORM_BOUNDARY}"}
    head = f'--{FORM_BOUNDARY}\r\nContent-Disposition: form-data; name="images"; filename="{marks["raw_name"]}"\r\n\r\n'
    for number, body in enumerate(
        (head + marks["cut_form"], head.replace("form-data; ", marks["disposition"]), "\xff" + marks["no_form"])
    ):
        caller.send(
            f"form {number}", "POST", "/v1/diagnoses", content=body.encode("latin-1"), headers=kind, expected=[400, 422]
        )
    other = {"Content-Type": f"application/{marks['media']}"}
    caller.send(
        "media type", "POST", "/v1/search", content=marks["media_body"].encode(), headers=other, expected=[400, 415]
    )
    caller.send(
        "charset",
        "POST",
        "/v1/search",
        content=b"\xff\xfe" + marks["utf16"].encode("utf-16-le"),
        headers={"Content-Type": "application/json; charset=utf-16"},
        expected=[400],
    )
    deep = "[" * 5_000 + marks["deep"] + "]" * 5_000
    caller.send(
        "deep",
        "POST",
        "/v1/search",
        content=deep.encode(),
        headers={"Content-Type": "application/json"},
        expected=[400],
    )
    caller.send("large", "POST", "/v1/search", json={"text": marks["large"] * 100_000}, expected=[413])
    caller.send("host", "GET", "/v1/documents", headers={"Host": f"{marks['host']}.example"}, expected=[421])
    caller.send(
        "origin", "GET", "/v1/documents", headers={"Origin": f"http://{marks['origin']}.example"}, expected=[403]
    )
    caller.send("actor", "GET", "/v1/documents", headers={"Range": marks["range"]}, expected=[200])


def look(caller: Caller) -> None:
    """Searches, and every route that takes an id, with a mark for it."""
    marks = caller.marks
    caller.send(
        "search",
        "POST",
        f"/v1/search?q={marks['search_query']}",
        json={"text": f"scale {marks['search']}"},
        expected=[200],
    )
    caller.send(
        "search filter",
        "POST",
        "/v1/search",
        json={"text": "scale", "filters": {"source": marks["filter"]}},
        expected=[200, 422],
    )
    caller.send(
        "search unknown", "POST", "/v1/search", json={"text": "scale", marks["key"]: marks["value"]}, expected=[400]
    )
    described = caller.client.get("/schema/openapi.json").json()["paths"]
    for path, methods in described.items():
        for method in methods:
            if "{" in path and method in {"get", "post", "put", "patch", "delete"}:
                place = re.sub(r"\{[^}]*\}", marks["id"], path)
                more = {"json": {"title": marks["title"]}} if method in {"post", "put", "patch"} else {}
                caller.send(
                    f"{method} {path}",
                    method.upper(),
                    f"{place}?x={marks['id_query']}",
                    **more,
                    expected=range(400, 500),
                )
    key = {"key": f"dmc_0123456789ab_{marks['key_sent']}"}
    caller.send("sign in", "POST", "/sign-in", json=key, expected=[401])
    caller.send("no route", "GET", f"/{marks['path']}/{marks['path_2']}?a={marks['path_query']}", expected=[404])
    caller.send("no method", "PATCH", f"/v1/search?a={marks['method_query']}", expected=[405])


def teach(caller: Caller) -> None:
    """Guidelines under marked names: taken in, refused, in the background."""
    names = caller.names
    good = guideline((("Rosacea of the face", "Offer azelaic acid 15% gel twice a day for papules and pustules."),))
    sound = {"files": (f"{names['good_file']}.pdf", good, "application/pdf")}
    caller.send("document", "POST", "/v1/documents", files=sound, expected=[201])
    caller.send("document again", "POST", "/v1/documents", files=sound, expected=[200])
    for what, data in {
        "no PDF": b"PK\x03\x04" + bytes(60),
        "cut": hostile.sound()[:9_000],
        "locked": hostile.cyclic_page_tree(),
    }.items():
        bad = {"files": (f"../../{names['bad_file']}.pdf", data)}
        refused = caller.client.post("/v1/documents", files=bad, headers=caller.headers)
        assert refused.status_code == 422, what  # names the caller's own file
    # With a heading, for a guideline that has no title at all is called after its file.
    other = guideline((("Rosacea of the eyes", "Offer lid hygiene and lubricants for rosacea of the eyes."),))
    later = {"files": (f"{names['later_file']}.pdf", other)}
    job = caller.client.post("/v1/documents?background=true", files=later, headers=caller.headers)
    assert job.status_code == 202
    events = caller.client.get(f"{job.headers['location']}/events", headers=caller.headers)
    assert "succeeded" in events.text or "done" in events.text, events.text
