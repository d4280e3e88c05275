"""Proves that what a home holds is whole: truth readable and complete, indexes undamaged, nothing half done visible, legs
alive, and the served models that the settings name generating. Whether it is set up to be served: runtime.checking."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from inference.engines.errors import EngineError
from inference.engines.replica import ReplicaState, Standing
from inference.errors import InferenceError
from inference.served import ServedModel
from knowledge.errors import KnowledgeError
from retrieval.canary import check_legs
from retrieval.errors import RetrievalError
from retrieval.generation import Manifest, chroma_of, damaged_files
from retrieval.index import contents_of
from retrieval.listing import recall_told
from retrieval.sketches import known_sketches
from runtime.errors import RuntimeRefused
from runtime.service import Service


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. `mend` is the command that puts it right, where there is one.

    `degraded`: healthy only because something else stands in for it.
    """

    name: str
    healthy: bool
    detail: str
    mend: str | None = None
    degraded: bool = False


def examine(service: Service) -> Iterator[Check]:
    """Every check in order, the cheap ones first. One that cannot be made is unhealthy, never skipped."""
    checks: tuple[tuple[str, Callable[[Service], Check]], ...] = (
        ("registry", _registry),
        ("stored files", _stored_files),
        ("leftovers", _leftovers),
        ("jobs", _jobs),
        ("encoders", check_encoders),
        ("vectors", _vectors),
        ("index", _index),
        ("chroma", _chroma),
    )
    for name, check in checks:
        try:
            yield check(service)
        except (KnowledgeError, RetrievalError) as error:
            yield Check(name, False, str(error))
    yield from _legs(service)
    yield from check_models(service)


def _registry(service: Service) -> Check:
    problems = service.registry.integrity_problems()
    counts = service.registry.counts()
    if problems:
        return Check("registry", False, "; ".join(problems), "restore the home folder from a backup")
    return Check("registry", True, ", ".join(f"{number} {name}" for name, number in counts.items()))


def _stored_files(service: Service) -> Check:
    broken = []
    used = service.registry.blobs_in_use()
    for digest in used:
        try:
            service.blobs.get(digest)
        except KnowledgeError as error:
            broken.append(f"{digest[:12]}: {error}")
    if broken:
        return Check(
            "stored files", False, f"{len(broken)} of {len(used)} unusable ({broken[0]})", "restore from a backup"
        )
    return Check("stored files", True, f"{len(used)} files match their checksums")


def _leftovers(service: Service) -> Check:
    used = service.registry.blobs_in_use()
    orphans = sum(digest not in used for digest in service.blobs.digests()) + len(service.blobs.unfinished())
    builds = len(service.index.unfinished())
    if orphans or builds:
        detail = f"{orphans} unreferenced files and {builds} unfinished builds of interrupted work; nothing finds them"
        return Check("leftovers", True, detail, "dermacite reindex")
    return Check("leftovers", True, "none")


def _jobs(service: Service) -> Check:
    # Harmless: their files are stored. A server that runs takes them up by itself.
    if left := len(service.registry.jobs.ids()):
        return Check("jobs", True, f"{left} at work, waiting or interrupted", "dermacite jobs run")
    return Check("jobs", True, "none is open")


def check_encoders(service: Service) -> Check:
    """Every configured encoder is on this machine. Raises EncoderMissing."""
    found = ", ".join(f"{space}: {card.name} {service.fingerprints[space]}" for space, card in service.cards.items())
    return Check("encoders", True, found)


def _vectors(service: Service) -> Check:
    # The next build needs them all; an index that serves has its own copy and would not miss them until then.
    contents = contents_of(service.registry, service.embeddings, service.index)
    found = ", ".join(f"{len(rows)} {space}" for space, rows in contents.matrices.items())
    if missing := int((~known_sketches(contents.sketches)).sum()):
        detail = f"{found}, but {missing} sketches are missing: the leak guard would miss cropped and mirrored copies"
        return Check("vectors", False, detail, "dermacite reindex")
    return Check("vectors", True, found)


def _index(service: Service) -> Check:
    current = service.index.current()
    if current is None:
        empty = not any(service.registry.counts().values())
        return Check("index", empty, "nothing to index yet" if empty else "there is none", "dermacite reindex")
    damaged = damaged_files(current)
    if damaged:
        return Check("index", False, f"{current.name}: {len(damaged)} files are damaged", "dermacite reindex")
    view = service.reader.view()
    manifest = Manifest.read(current)
    detail = f"{current.name}, {view.delta_size} newer items beside it, {view.masked} masked"
    if manifest.recall_at_10:
        detail += f"; {recall_told(manifest)}"
    # Nothing finds what is masked; after a deletion that was killed its words still stand there.
    return Check("index", True, detail, "dermacite reindex" if view.masked else None)


def _chroma(service: Service) -> Check:
    current = service.index.current()
    if current is None:
        return Check("chroma", True, "nothing to index yet")
    manifest = Manifest.read(current)
    where = manifest.chroma_url or "in the folder of the index"
    if manifest.chroma_url is not None:
        store = chroma_of(current, manifest.chroma_url)
        for space in [space for space, count in manifest.counts.items() if count]:
            store.propose(space, np.ones(manifest.dimensions[space], dtype=np.float32), 1)
    if manifest.chroma_url != service.settings.chroma_url:
        detail = f"{where}, while the setting chroma_url says {service.settings.chroma_url or 'nothing'}"
        return Check("chroma", True, detail, "dermacite reindex")
    return Check("chroma", True, where)


def _legs(service: Service) -> Iterator[Check]:
    try:
        legs = check_legs(service.reader.view(), service.encoders, service.registry, service.stored_pixels)
    except (KnowledgeError, RetrievalError) as error:
        yield Check("legs", False, str(error))
        return
    for leg in legs:
        yield Check(
            f"leg: {leg.leg}", leg.alive is not False, leg.detail, "dermacite reindex" if leg.alive is False else None
        )


def check_models(service: Service) -> Iterator[Check]:
    """A real generation of every served model the settings name."""
    try:
        models = service.models.all
    except (InferenceError, RuntimeRefused) as error:
        yield Check("models", False, str(error))
        return
    for name, (problem, replicas) in asyncio.run(_probed(service, models)).items():
        mend = f"dermacite models command {name}"
        yield Check(f"model: {name}", problem is None, problem or "generates", mend if problem else None)
        for one in replicas:
            yield _replica(f"model: {name}, replica {one.name}", one, mend, others_serve=problem is None)


def _replica(name: str, replica: ReplicaState, mend: str, *, others_serve: bool) -> Check:
    if replica.standing is Standing.IN:
        return Check(name, True, "generates")
    return Check(name, others_serve, replica.told, mend, degraded=others_serve)


async def _probed(
    service: Service, models: Sequence[ServedModel]
) -> dict[str, tuple[str | None, tuple[ReplicaState, ...]]]:
    """The problem of each model, if it has one, and how the servers that share its work stand."""
    found: dict[str, tuple[str | None, tuple[ReplicaState, ...]]] = {}
    try:
        for model in models:
            problem = None
            try:
                await model.engine.probe()
            except EngineError as error:
                problem = str(error)
            found[model.profile.name] = problem, model.replicas
    finally:
        await service.close_models()
    return found
