"""The engine in this process on a random checkpoint: loading, sampling and what it refuses. The rest: test_engine_vllm."""

import shutil
import sys
import threading
from contextlib import aclosing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText

from inference.engines import ChatRequest, errors
from inference.engines.background import Pieces, Worker
from inference.engines.transformers_engine import TransformersEngine
from inference.prompts import ImagePart, Message, TextPart
from tests.vllm.tiny_checkpoint import write_checkpoint

PICTURE = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
MESSAGES = (Message("user", (ImagePart(PICTURE), TextPart("What is it?"))),)


@pytest.fixture
def anyio_backend() -> str:
    """What the service runs on."""
    return "asyncio"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete checkpoint; read only."""
    return write_checkpoint(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def engine(checkpoint: Path) -> TransformersEngine:
    """An engine on it."""
    return TransformersEngine(checkpoint, "tiny", total_timeout=60)


def test_what_is_not_there_is_not_downloaded(tmp_path: Path) -> None:
    with pytest.raises(errors.EngineMisconfigured, match="checkpoint"):
        TransformersEngine(tmp_path / "nowhere", "tiny")


def test_a_checkpoint_that_lacks_tensors_is_not_filled_with_noise(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path)
    tensors = load_file(folder / "model.safetensors")
    del tensors[next(name for name in tensors if "layers.1.mlp" in name)]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(errors.EngineMisconfigured, match="lacks 1 tensors"):
        TransformersEngine(folder, "tiny")


def test_an_adapter_needs_its_package(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(errors.EngineMisconfigured, match="peft"):
        TransformersEngine(checkpoint, "tiny", adapter=tmp_path)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # peft asks transformers
@pytest.mark.anyio
async def test_an_adapter_is_merged_into_the_model(
    checkpoint: Path, engine: TransformersEngine, tmp_path: Path
) -> None:
    kind: Any = AutoModelForImageTextToText
    adapted = get_peft_model(kind.from_pretrained(checkpoint), LoraConfig(r=2, target_modules=["q_proj", "v_proj"]))
    for name, tensor in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(tensor, std=0.5)  # an untrained adapter is zero and would change nothing
    adapted.save_pretrained(str(tmp_path))
    request = ChatRequest(MESSAGES, "tiny", 4)
    (plain,) = await engine.score(request, ["psoriasis"])
    (changed,) = await TransformersEngine(checkpoint, "tiny", adapter=tmp_path).score(request, ["psoriasis"])
    (merged,) = await TransformersEngine(_merged(adapted, checkpoint, tmp_path / "merged"), "tiny").score(
        request, ["psoriasis"]
    )
    assert abs(changed.logprob - plain.logprob) > 0.01
    assert changed.logprob == pytest.approx(merged.logprob, abs=1e-4)


def _merged(adapted: Any, checkpoint: Path, folder: Path) -> Path:
    shutil.copytree(checkpoint, folder)
    adapted.merge_and_unload().save_pretrained(folder)
    return folder


@pytest.mark.anyio
async def test_sampling_follows_temperature_and_seed(engine: TransformersEngine) -> None:
    texts = [
        (await engine.complete(ChatRequest(MESSAGES, "tiny", 24, temperature=temperature, seed=seed))).text
        for temperature, seed in ((0.0, 1), (0.0, 2), (1.5, 1), (1.5, 1), (1.5, 2))
    ]
    assert texts[0] == texts[1]
    assert texts[2] == texts[3]
    assert len({texts[0], texts[2], texts[4]}) == 3


@pytest.mark.anyio
async def test_a_device_without_memory_is_busy(engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(engine._model, "generate", full)
    with pytest.raises(errors.EngineOverloaded) as caught:
        await engine.complete(ChatRequest(MESSAGES, "tiny", 8))
    assert caught.value.retryable
    with pytest.raises(errors.EngineOverloaded):
        async with aclosing(engine.stream(ChatRequest(MESSAGES, "tiny", 8))) as pieces:
            assert [piece async for piece in pieces]


@pytest.mark.anyio
async def test_a_template_that_fails_does_not_quote_the_prompt(checkpoint: Path) -> None:
    engine = TransformersEngine(checkpoint, "tiny")
    engine._processor.chat_template = "{{ raise_exception(messages[0].content[0].text) }}"
    request = ChatRequest((Message("user", (TextPart("Ms Example's note"),)),), "tiny", 8)
    with pytest.raises(errors.InputRefused) as caught:
        await engine.complete(request)
    assert "Example" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.anyio
async def test_it_ends_when_time_is_up(checkpoint: Path) -> None:
    engine = TransformersEngine(checkpoint, "tiny", total_timeout=0.5)
    endless = ChatRequest(MESSAGES, "tiny", 8000, choice=("k" * 8000,))
    with pytest.raises(errors.EngineTimedOut):
        await engine.complete(endless)
    with pytest.raises(errors.EngineTimedOut):
        async with aclosing(engine.stream(endless)) as pieces:
            assert [piece async for piece in pieces]
    await engine.aclose()


def test_pieces_wait_until_a_character_is_whole() -> None:
    spelt = "Sjögren".encode()
    pieces = Pieces(lambda ids: bytes(ids).decode(errors="ignore"))
    pieces.put(torch.tensor([[1, 2, 3]]))  # the prompt
    for byte in spelt:
        pieces.put(torch.tensor([byte]))
    pieces.end()
    pieces.close()
    assert list(iter(pieces.next, None)) == ["S", "j", "ö", "g", "r", "e", "n"]


def test_a_worker_hands_on_what_went_wrong() -> None:
    def broken() -> None:
        raise LookupError("in the thread")

    done = threading.Event()
    worker = Worker(broken, done.set)  # type: ignore[arg-type] # it never returns
    with pytest.raises(LookupError, match="in the thread"):
        worker.result()
    assert done.is_set()
