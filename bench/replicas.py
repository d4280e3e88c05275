"""What prefix affinity is worth: the same questions to two vLLM servers with and without it, by the servers' own counters.

    make vllm-env && python -m bench.replicas [--references 24] [--questions 6]

Each question shows three reference pictures and asks about a fourth, as stage 2 does; every set of references is asked
about several times, in random order, 8 questions at once. Without affinity the key of a question is a random number, and
everything else is the same. Each arm has pictures of its own, so that neither profits from the other's. The model is tiny
and the servers share two cores with everything else: the share of prompt tokens that were not computed again means
something, the seconds do not.
"""

import argparse
import asyncio
import random
import secrets
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import anyio
import numpy as np

from inference.engines import ChatRequest
from inference.engines.choosing import leading_key
from inference.engines.openai_engine import EngineLimits, OpenAIEngine
from inference.engines.replicated import ReplicatedEngine
from inference.prompts import ImagePart, Message, TextPart
from tests.vllm.server import MODEL, VllmServer
from tests.vllm.tiny_checkpoint import write_checkpoint

AT_ONCE = 8
SIDE = 160  # px
ARMS: dict[str, Callable[[ChatRequest], bytes]] = {
    "affinity": leading_key,
    "none": lambda _: secrets.token_bytes(16),
}


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--references", type=int, default=24, help="sets of reference pictures")
    parser.add_argument("--questions", type=int, default=6, help="asked about each")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = write_checkpoint(Path(folder) / "checkpoint")
        servers = [VllmServer(checkpoint, Path(folder) / f"{number}.log") for number in range(2)]
        try:
            for server in servers:
                server.start()
            asyncio.run(_measure(servers, arguments.references, arguments.questions))
        finally:
            for server in servers:
                server.stop()


async def _measure(servers: Sequence[VllmServer], references: int, questions: int) -> None:
    print(f"{references} sets of references, {questions} questions about each, {AT_ONCE} at once, 2 servers")
    for number, (name, key_of) in enumerate(ARMS.items()):
        requests = _requests(number, references, questions)
        once = EngineLimits(AT_ONCE, len(requests), attempts=1)
        engines = {str(one.port): OpenAIEngine(one.url, MODEL, limits=once) for one in servers}
        engine = ReplicatedEngine(engines, MODEL, key_of=key_of)
        await engine.probe()
        before = [_counters(one) for one in servers]
        started = time.perf_counter()
        await _ask_all(engine, requests)
        seconds = time.perf_counter() - started
        deltas = [np.subtract(_counters(one), old) for one, old in zip(servers, before, strict=True)]
        asked, hit = np.sum(deltas, axis=0)
        shares = ", ".join(str(one.requests) for one in engine.replicas)
        print(f"{name:<9} {hit / asked:.3f} of {asked:.0f} prompt tokens found; requests {shares}; {seconds:.1f} s")
        await engine.aclose()


async def _ask_all(engine: ReplicatedEngine, requests: Sequence[ChatRequest]) -> None:
    left = iter(requests)

    async def worker() -> None:
        for request in left:
            await engine.complete(request)

    async with anyio.create_task_group() as group:
        for _ in range(AT_ONCE):
            group.start_soon(worker)


def _requests(arm: int, references: int, questions: int) -> list[ChatRequest]:
    chance = np.random.default_rng(arm)

    def picture() -> ImagePart:
        return ImagePart(chance.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8))

    made = []
    for _ in range(references):
        shown = [part for number in range(3) for part in (picture(), TextPart(f"Reference {number}: psoriasis"))]
        for _ in range(questions):
            parts = (TextPart("Here are similar reference cases:"), *shown, picture(), TextPart("What is it?"))
            made.append(ChatRequest((Message("user", parts),), MODEL, max_new_tokens=1))
    random.Random(0).shuffle(made)
    return made


def _counters(server: VllmServer) -> tuple[float, float]:
    """Prompt tokens looked up in the prefix cache, and those found."""
    return server.metric("vllm:prefix_cache_queries_total"), server.metric("vllm:prefix_cache_hits_total")


if __name__ == "__main__":
    main()
