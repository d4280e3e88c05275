"""How an answer came about: the software and the models as Devices, and one Provenance that ties everything together."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from api.fhir.elements import Frame, Resource, concept, filled, identifier, notes, plain
from api.fhir.evidence import name_of
from inference.types import Answer, Diagnosis, StageRecord

PARTICIPANT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"


def devices_of(answer: Answer, frame: Frame) -> dict[str, Resource]:
    """This software as "device", and each served model that was asked."""
    configuration = answer.trace.configuration
    own = frame.resource(
        "Device", "device", asserted=False, status="active",
        deviceName=[{"name": "Dermacite", "type": "user-friendly-name"}],
        type=concept("Software: retrieval-grounded decision support in dermatology, for research"),
        version=[_version("software", str(configuration.get("version", "unknown")))],
        property=[_property(name, value) for name, value in _settings(configuration)], note=notes(answer.notice),
    )  # fmt: skip
    known: Mapping[str, Any] = configuration.get("models") or {}
    models = {_model_name(one): one for one in answer.trace.stages}
    return {"device": own, **{name: _model(name, one, known, frame) for name, one in models.items()}}


def provenance_of(answer: Answer, frame: Frame, targets: Sequence[str]) -> dict[str, Resource]:
    """Who made `targets` of what: evidence that is quoted, evidence that was only read, and prompts by their hashes."""
    models = dict.fromkeys(_model_name(one) for one in answer.trace.stages)
    made = frame.resource(
        "Provenance", "provenance", target=frame.references(targets), recorded=frame.at,
        activity=concept("Retrieval of evidence, ranking of candidates, verification of citations"),
        agent=[_agent(frame, "device", "assembler"), *(_agent(frame, name, "performer") for name in models)],
        entity=[*_evidence(answer, frame), *_prompts(answer.trace.stages)],
    )  # fmt: skip
    return {"provenance": made}


def _settings(configuration: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What of the configuration decides an answer, by name."""
    for name in ("configuration", "preset", "intervention"):
        if configuration.get(name):
            yield name, str(configuration[name])
    for space, card in (configuration.get("encoders") or {}).items():
        yield f"encoder of {space}", _identified(card)
    if configuration.get("reranker"):
        yield "reranker", _identified(configuration["reranker"])
    index = configuration.get("index") or {}
    for key, name in (("generation", "index generation"), ("corpus_generation", "corpus generation")):
        if index.get(key) is not None:
            yield name, str(index[key])
    if (configuration.get("classifier") or {}).get("name"):
        yield "classifier", str(configuration["classifier"]["name"])


def _identified(card: Mapping[str, Any]) -> str:
    revision = f" {card['revision']}" if card.get("revision") else ""
    return f"{card.get('model', 'unknown')}{revision}, fingerprint {card.get('fingerprint', 'unknown')}"


def _model_name(record: StageRecord) -> str:
    return f"model {record.profile} {record.model} {record.engine}"


def _model(name: str, record: StageRecord, known: Mapping[str, Any], frame: Frame) -> Resource:
    revision = (known.get(record.profile) or {}).get("revision")
    return frame.resource(
        "Device", name, asserted=False, status="active", type=concept("Served vision-language model"),
        deviceName=[{"name": plain(record.profile) or "unnamed", "type": "model-name"}],
        version=[_version("served as", record.model), *([_version("revision", str(revision))] if revision else [])],
        property=[_property("engine", record.engine)], parent=frame.reference("device"),
    )  # fmt: skip


def _version(kind: str, value: str) -> Resource:
    return {"type": concept(kind), "value": plain(value) or "unknown"}


def _property(name: str, value: str) -> Resource:
    return {"type": concept(name), "valueCode": [concept(value)]}


def _agent(frame: Frame, name: str, role: str) -> Resource:
    return {"type": {"coding": [{"system": PARTICIPANT, "code": role}]}, "who": frame.reference(name)}


def _evidence(answer: Answer, frame: Frame) -> list[Resource]:
    statements = answer.report if isinstance(answer, Diagnosis) else ()
    cited = {citation.evidence for one in statements for citation in one.citations}
    return [
        {"role": "quotation" if item.key in cited else "source", "what": frame.reference(name_of(item.key))}
        for item in answer.ledger
    ]


def _prompts(stages: Sequence[StageRecord]) -> list[Resource]:
    told = {(one.stage, one.prompt, one.prompt_hash) for one in stages if one.prompt_hash}
    return [
        {"role": "source", "what": filled({
            "identifier": identifier("prompt-sha256", digest), "display": plain(f"prompt {prompt} of the stage {stage}"),
        })}
        for stage, prompt, digest in sorted(told)
    ]  # fmt: skip
