"""The life of a dataset on a real home: retired, restored, deleted with proof, reported on; over HTTP and by command."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from httpx import Response
from litestar import Litestar
from litestar.testing import TestClient
from numpy.typing import NDArray
from PIL import Image

from api.app import create_app
from knowledge.errors import NotFound, TransitionRefused
from knowledge.registry.answers import Shown
from knowledge.registry.jobs import JobState
from knowledge.types import Outcome
from retrieval.embeddings import text_key
from retrieval.encoders import load_image_encoder, load_text_encoder
from retrieval.search import Encoders
from retrieval.types import EncoderCard
from runtime.cli import main
from runtime.coverage import NO_ANSWERS, NOT_KEPT, coverage
from runtime.curation import Curator
from runtime.dataset_report import dataset_report
from runtime.doctor import examine
from runtime.service import Service, open_service
from runtime.settings import load_settings
from tests.drawing import scene

Client = TestClient[Litestar]
Draw = Callable[[str, int], bytes]

EVERYWHERE = {"registry", "vectors", "index", "lexical", "caches", "files", "disk"}
RARE = "A zyxomatous nodule of the ankle that no other caption speaks of."


def collection(folder: Path, rows: list[dict[str, str]], pictures: dict[str, bytes]) -> Path:
    """A manifest with its pictures."""
    folder.mkdir()
    for name, data in pictures.items():
        (folder / name).write_bytes(data)
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, ["picture", "label", "caption", "split", "skin_tone", "licence"])
        table.writeheader()
        table.writerows(rows)
    return folder


def png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def second(tmp_path: Path, draw: Draw) -> Path:
    """Three cases: one of its own, one that the sample has too, and its mirror image in another split."""
    twin = draw("acne", 1)
    mirrored = png(np.asarray(Image.open(io.BytesIO(twin)))[:, ::-1])
    pictures = {"own.png": png(scene(3)), "twin.png": twin, "mirrored.png": mirrored}
    rows = [
        {"picture": "own.png", "label": "Kaposi-Sarcoma", "caption": RARE, "split": "train", "skin_tone": "5"},
        {"picture": "twin.png", "label": "acne", "split": "train", "licence": "CC0-1.0"},
        {"picture": "mirrored.png", "label": "ACNE", "split": "extra", "licence": "LicenseRef-no-display"},
    ]
    return collection(tmp_path / "second", rows, pictures)


@pytest.fixture
def service(own_service: Service, second: Path) -> Service:
    """The sample and a second dataset."""
    Curator(own_service, actor="ada").ingest_cases(second, None)
    return own_service


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    with TestClient(create_app(service), base_url="http://127.0.0.1:8000") as client:
        yield client


def found(service: Service, text: str) -> set[str]:
    return {item.id for item in service.lookup.search(text).cases}


def own_case(service: Service) -> str:
    [case_id] = [one.id for one in service.registry.datasets.cases_of("second") if one.caption == RARE]
    return case_id


def actions(service: Service, item: str) -> list[tuple[str, str]]:
    return [(one.actor, one.action) for one in service.registry.audit.entries(item)]


def unhealthy(service: Service) -> list[str]:
    return [check.detail for check in examine(service) if not check.healthy]


# --- retired, restored -------------------------------------------------------------------------------------------------


def test_a_retired_dataset_is_found_nowhere_until_it_is_restored(service: Service) -> None:
    case_id, curator = own_case(service), Curator(service, actor="ben")
    assert case_id in found(service, RARE)
    curator.retire_dataset("second")
    view = service.reader.view()
    assert case_id in view.cases.ids
    assert case_id not in found(service, RARE)
    assert "kaposi sarcoma" not in view.cases.labels
    assert int(view.cases.alive.sum()) == 12
    assert service.registry.case(case_id).caption == RARE  # it can still be opened
    assert unhealthy(service) == []
    curator.restore_dataset("second")
    assert case_id in found(service, RARE)
    assert "kaposi sarcoma" in service.reader.view().cases.labels
    assert actions(service, "second") == [("ada", "add"), ("ben", "retire"), ("ben", "restore")]


def test_retiring_is_seen_at_once_by_another_process_and_outlives_a_rebuild(service: Service) -> None:
    case_id, view = own_case(service), service.reader.view()
    assert bool(view.cases.alive[view.cases.ids.index(case_id)])
    service.registry.datasets.retire("second")
    assert case_id not in found(service, RARE)
    Curator(service).reindex()
    assert service.reader.view().delta_size == 0
    assert case_id not in found(service, RARE)
    assert unhealthy(service) == []


def test_retired_cases_do_not_take_part_in_the_calibration(own_service: Service, second: Path) -> None:
    curator = Curator(own_service)
    curator.reindex()
    before = (own_service.reader.view().generation or Path()).joinpath("calibration.json").read_text()
    curator.ingest_cases(second, None)
    curator.retire_dataset("second")
    after = (own_service.reader.view().generation or Path()).joinpath("calibration.json").read_text()
    assert json.loads(after) == json.loads(before)


def test_everything_may_be_retired(service: Service, draw: Draw) -> None:
    curator = Curator(service)
    for name in ("second", "sample"):
        curator.retire_dataset(name)
    assert found(service, RARE) == set()
    assert service.reader.view().cases.labels == ()
    assert unhealthy(service) == []


def test_a_retired_dataset_takes_nothing_in(service: Service, second: Path) -> None:
    curator = Curator(service)
    curator.retire_dataset("second")
    with pytest.raises(TransitionRefused) as refused:
        curator.ingest_cases(second, None)
    assert refused.value.reason == "dataset_retired"


# --- deleted -----------------------------------------------------------------------------------------------------------


def test_a_deleted_dataset_is_gone_everywhere_and_what_others_share_stays(service: Service) -> None:
    cases = service.registry.datasets.cases_of("second")
    [own] = [one for one in cases if one.caption == RARE]
    receipt = Curator(service, actor="ben").delete_dataset("second")
    assert (receipt.dataset, set(receipt.cases), receipt.pictures) == ("second", {one.id for one in cases}, 3)
    assert set(receipt.absent_from) == EVERYWHERE
    digests, keys = set(service.blobs.digests()), service.embeddings.keys()
    assert own.picture not in digests
    assert not {own.picture, text_key(RARE)} & keys
    [twin] = [one for one in cases if one.label == "acne" and one.split == "train"]
    assert twin.picture in digests & keys  # the sample has the same picture
    assert not any(
        RARE.encode() in file.read_bytes() for file in service.home.root.rglob("*") if file.is_file()
    )  # not in any log, index or job
    assert actions(service, "second")[1:] == [("ben", "delete"), ("ben", "receipt")]
    assert unhealthy(service) == []
    with pytest.raises(NotFound):
        Curator(service).delete_dataset("second")


def test_one_case_is_deleted_in_the_same_way(service: Service) -> None:
    case_id = own_case(service)
    receipt = Curator(service, actor="ben").delete_case(case_id)
    assert (receipt.dataset, receipt.cases, receipt.pictures) == ("second", (case_id,), 1)
    assert set(receipt.absent_from) == EVERYWHERE
    assert case_id not in found(service, RARE)
    assert service.registry.datasets.one("second").cases == 2
    assert actions(service, case_id) == [("ben", "delete"), ("ben", "receipt")]


def test_a_picture_kept_for_models_is_forgotten_with_its_case(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = service.registry.case(own_case(service))
    service.shelf._kept[case.picture, 672] = object()  # type: ignore[assignment]
    receipt = Curator(service).delete_case(case.id)
    assert not service.shelf.holds([case.picture])
    assert "caches" in receipt.absent_from


def test_a_receipt_does_not_claim_what_is_not_so(service: Service) -> None:
    # A copy that somebody made beside the registry: the words are still on the disk, and the receipt must not say otherwise.
    (service.home.root / "copy.sqlite3").write_bytes(b"x" * 5_000 + RARE.encode())
    receipt = Curator(service).delete_dataset("second")
    assert set(receipt.absent_from) == EVERYWHERE - {"disk"}


# --- reports -----------------------------------------------------------------------------------------------------------


def test_a_report_says_what_must_be_known_of_a_dataset(service: Service) -> None:
    report = dataset_report(service, "second")
    assert [(one.licence, one.cases, one.known, one.show) for one in report.licences] == [
        (None, 1, False, True), ("CC0-1.0", 1, True, True), ("LicenseRef-no-display", 1, True, False),
    ]  # fmt: skip
    assert [(one.written, one.label, one.known_to) for one in report.labels] == [
        ("ACNE", "acne", ("hikari-10", "hikari-card")), ("acne", "acne", ("hikari-10", "hikari-card")),
        ("Kaposi-Sarcoma", "kaposi sarcoma", ()),
    ]  # fmt: skip
    assert [(one.label, one.skin_tone, one.split, one.cases) for one in report.coverage] == [
        ("acne", None, "extra", 1), ("acne", None, "train", 1), ("kaposi sarcoma", "5", "train", 1),
    ]  # fmt: skip
    found = report.duplicates
    assert (dict(found.within), dict(found.across_splits)) == ({"near_duplicate": 1}, {"near_duplicate": 1})
    assert dict(found.across_datasets) == {"near_duplicate": 1, "same_bytes": 1}
    assert found.crops
    assert found.pairs[0].splits in {("train", "extra"), ("extra", "train")}
    assert any("unknown terms" in warning for warning in report.warnings)
    assert any("never shown" in warning for warning in report.warnings)


def test_a_retired_dataset_is_reported_on_and_no_other_is_compared_with_it(service: Service) -> None:
    service.registry.datasets.retire("second")
    assert dataset_report(service, "second").duplicates.total == 3
    assert dataset_report(service, "sample").duplicates.across_datasets == {}


def test_an_ingest_warns_with_numbers_and_the_command_that_shows_more(own_service: Service, second: Path) -> None:
    outcomes = Curator(own_service).ingest_cases(second, None)
    assert [one.state for one in outcomes] == [Outcome.ADDED] * 3
    assert outcomes[0].warnings == outcomes[1].warnings == ()
    warnings = "\n".join(outcomes[2].warnings)
    assert "3 pairs show the same picture: 1 within the dataset, 2 with other datasets" in warnings
    assert "splits are not apart: 1 near_duplicate" in warnings
    assert "1 cases have no licence, or one of unknown terms" in warnings
    assert warnings.count("see: dermacite datasets report second") == 3
    jobs = own_service.registry.jobs
    [item] = [item for one in jobs.ids([JobState.DONE]) for item in jobs.job(one).items if item.name == "second"]
    assert item.outcome is not None
    assert item.outcome.warnings == outcomes[2].warnings
    assert [one.warnings for one in Curator(own_service).ingest_cases(second, None)] == [(), (), ()]
    again = [item for one in jobs.ids([JobState.DONE]) for item in jobs.job(one).items if item.name == "second"][-1]
    assert again.outcome is not None
    assert again.outcome.state is Outcome.UNCHANGED


def test_what_may_not_be_kept_is_refused(own_service: Service, tmp_path: Path, draw: Draw) -> None:
    row = {"picture": "a.png", "label": "acne", "licence": "LicenseRef-no-storage"}
    [outcome] = Curator(own_service).ingest_cases(collection(tmp_path / "x", [row], {"a.png": draw("acne", 8)}), None)
    assert (outcome.state, outcome.reason) == (Outcome.REFUSED, "licence_forbids")
    assert own_service.registry.datasets.names() == {"sample"}


# --- coverage ----------------------------------------------------------------------------------------------------------


def test_labels_without_a_passage_are_told_from_those_that_guidelines_name(service: Service) -> None:
    told = coverage(service)
    missing = {one.label: one for one in (*told.without_passage, *told.not_named)}
    assert "kaposi sarcoma" in missing
    assert missing["kaposi sarcoma"].cases == 1
    assert missing["lichen planus"].cases == 0  # of a label set only
    assert not {"psoriasis", "acne", "nevus", "acne vulgaris", "melanocytic nevi"} & missing.keys()
    for one in told.without_passage:
        assert one.similarity is not None
        assert one.similarity < told.floor
    for one in told.not_named:
        assert one.similarity is not None
        assert one.similarity >= told.floor


def test_without_guidelines_nothing_is_covered(empty_service: Service) -> None:
    told = coverage(empty_service)
    assert (told.covered, told.not_named) == (0, ())
    assert {one.similarity for one in told.without_passage} == {None}


def test_what_was_never_retrieved_is_known_only_where_answers_are_kept(
    service: Service, make_guideline: Callable[[str, str], bytes], encoders: Encoders
) -> None:
    assert (coverage(service).never_retrieved, coverage(service).retrieval) == (None, NOT_KEPT)
    settings = load_settings(service.home.root, configuration="embedded", keep_answers=True)
    keeping = open_service(service.home.root, settings, encoders)
    assert (coverage(keeping).never_retrieved, coverage(keeping).retrieval) == (None, NO_ANSWERS)
    [document] = keeping.registry.documents()
    answers = keeping.registry.answers
    answers.keep("a-1", "diagnosis", 1, [Shown("E1", "case", own_case(service), None, True)])
    told = coverage(keeping)
    assert [one.id for one in told.never_retrieved or ()] == [document.id]
    assert told.retrieval.startswith("of 1 answers since ")
    [passage, *_] = [one for one, _ in keeping.registry.passage_texts()]
    answers.keep("a-2", "diagnosis", 1, [Shown("E1", "passage", passage, document.version.id, False)])
    assert coverage(keeping).never_retrieved == ()
    keeping.close()


# --- over HTTP ---------------------------------------------------------------------------------------------------------


def refused(response: Response, status: int, reason: str) -> None:
    assert (response.status_code, response.json()["reason"]) == (status, reason)


def test_the_way_of_a_dataset_over_http(client: Client, service: Service) -> None:
    assert [one["name"] for one in client.get("/v1/datasets").json()["datasets"]] == ["sample", "second"]
    report = client.get("/v1/datasets/second").json()
    assert (report["dataset"]["cases"], report["duplicates"]["within"]) == (3, {"near_duplicate": 1})
    retired = client.post("/v1/datasets/second/retire")
    assert (retired.status_code, retired.json()["state"]) == (200, "retired")
    refused(client.post("/v1/datasets/second/retire"), 409, "already_retired")
    texts = [case["text"] for case in client.post("/v1/search", json={"text": RARE}).json()["cases"]]
    assert RARE not in texts
    assert client.post("/v1/datasets/second/restore").json()["state"] == "live"
    case_id = own_case(service)
    assert set(client.delete(f"/v1/cases/{case_id}").json()["absent_from"]) == EVERYWHERE
    refused(client.delete(f"/v1/cases/{case_id}"), 404, "not_found")
    receipt = client.delete("/v1/datasets/second").json()
    assert (len(receipt["cases"]), set(receipt["absent_from"])) == (2, EVERYWHERE)
    for response in (
        client.get("/v1/datasets/second"), client.delete("/v1/datasets/second"),
        client.post("/v1/datasets/second/retire"), client.post("/v1/datasets/second/restore"),
    ):  # fmt: skip
        refused(response, 404, "not_found")
    assert client.get("/v1/coverage").json()["retrieval"] == NOT_KEPT


def test_a_case_that_may_not_be_shown_is_id_and_label_over_http(client: Client, service: Service, draw: Draw) -> None:
    [hidden] = [one for one in service.registry.datasets.cases_of("second") if one.split == "extra"]
    told = {name: value for name, value in client.get(f"/v1/cases/{hidden.id}").json().items() if value}
    assert told == {"id": hidden.id, "dataset": "second", "label": "acne", "licence": "LicenseRef-no-display"}
    refused(client.get(f"/v1/cases/{hidden.id}/picture"), 451, "licence_forbids")
    files = {"image": draw("acne", 1)}
    cases = client.post("/v1/search/picture", files=files, data={"request": '{"k": 15}'}).json()["cases"]
    [one] = [case for case in cases if case["id"] == hidden.id]
    assert (one["label"], one["text"], one["picture"]) == ("acne", "", None)
    assert one["score"] > 0
    assert hidden.picture not in json.dumps(cases)


# --- by command --------------------------------------------------------------------------------------------------------


@pytest.fixture
def command(service: Service, encoders: Encoders, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    def text_encoder(card: EncoderCard, folder: Path | None = None) -> Any:
        return encoders.captions if card == encoders.captions.card else load_text_encoder(card, folder)

    def image_encoder(card: EncoderCard, folder: Path | None = None) -> Any:
        return encoders.pictures if card == encoders.pictures.card else load_image_encoder(card, folder)

    monkeypatch.setattr("runtime.service.load_text_encoder", text_encoder)
    monkeypatch.setattr("runtime.service.load_image_encoder", image_encoder)

    def run(*arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(main, ["--home", str(service.home.root), *arguments], catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result.stdout

    return run


def test_the_way_of_a_dataset_by_command(command: Callable[..., str], service: Service) -> None:
    listed = json.loads(command("datasets", "list", "--json"))["datasets"]
    assert [(one["name"], one["state"], one["cases"]) for one in listed] == [
        ("sample", "live", 12),
        ("second", "live", 3),
    ]
    assert "second: live, 3 cases" in command("datasets", "list")
    assert json.loads(command("datasets", "retire", "second", "--json"))["state"] == "retired"
    error = json.loads(command("datasets", "retire", "second", "--json", code=1))["error"]
    assert error["reason"] == "already_retired"
    assert "second: live, 3 cases" in command("datasets", "restore", "second")
    shown = command("datasets", "show", "second")
    assert "ada: add (added 3, replaced 0)" in shown
    assert [one["action"] for one in json.loads(command("datasets", "show", "second", "--json"))["audit"]] == [
        "add", "retire", "restore",
    ]  # fmt: skip
    assert "absent from: registry" in command("cases", "delete", own_case(service))
    assert "deleted 2 cases of second, 2 pictures" in command("datasets", "delete", "second")
    assert json.loads(command("datasets", "report", "second", "--json", code=1))["error"]["reason"] == "not_found"


def test_a_person_reads_a_report_and_the_coverage(command: Callable[..., str]) -> None:
    report = command("datasets", "report", "second", "--thorough")
    for line in (
        "second: live, 3 cases", "unknown: unknown terms, shown here", "LicenseRef-no-display: never shown",
        "Kaposi-Sarcoma -> kaposi sarcoma  (no label set)", "kaposi sarcoma  5  train", "within: 1 near_duplicate",
        "other datasets: 1 near_duplicate, 1 same_bytes", "between splits: 1 near_duplicate", "cropped copies looked for",
    ):  # fmt: skip
        assert line in report
    told = command("coverage")
    assert "kaposi sarcoma  (1 cases" in told
    assert f"Guidelines that were never retrieved ({NOT_KEPT})" in told
    assert json.loads(command("coverage", "--json"))["never_retrieved"] is None
