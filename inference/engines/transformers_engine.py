"""An engine in this process, from a checkpoint on this machine: for small models, and to check servers against.

Together with retrieval.encoders the only place that imports torch and transformers; import it when it is needed.
"""

import importlib
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeVar

import anyio
import torch
from anyio import to_thread
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor, GenerationConfig, StoppingCriteria

from inference.engines.background import Pieces, Worker
from inference.engines.checking import check_constraint, check_continuations
from inference.engines.errors import ContextTooLong, EngineMisconfigured, EngineOverloaded, InputRefused
from inference.engines.gate import Gate, time_limit
from inference.engines.spelling import Speller
from inference.engines.types import ChatRequest, Completion, LabelScore, TokenCount, TokenLogprob
from inference.prompts import ImagePart, Message, TextPart

_Result = TypeVar("_Result")
_PARTIAL: Final = "\ufffd"  # what decoding gives for a part of a character


class TransformersEngine:
    """See Engine. One request at a time; a cancelled one ends at its next token.

    A score costs one forward pass over prompt and continuation for each continuation.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        adapter: Path | None = None,
        device: str = "cpu",
        dtype: str = "auto",
        total_timeout: float = 600.0,  # s, for a call, waiting included
        waiting: int = 8,  # calls before the door; the next is refused
    ) -> None:
        """Load the checkpoint in `folder`, which requests call `name`, with a LoRA or DoRA `adapter` merged in.

        Takes seconds to minutes. Raises EngineMisconfigured when something is missing; nothing is downloaded.
        """
        self._name = name
        self._total = total_timeout
        self._gate = Gate(1, waiting)
        self._alone = threading.Lock()  # a cancelled call leaves its place before its thread has ended
        self._processor: Any = _loaded(AutoProcessor, folder)[0]
        self._model: Any = _model(folder, adapter, dtype).to(device).eval()
        tokenizer, ends = self._processor.tokenizer, self._model.generation_config.eos_token_id
        self._ends: list[int] = [ends] if isinstance(ends, int) else list(ends or [tokenizer.eos_token_id])
        # Nothing of the checkpoint's own sampling defaults: decoding is what the request says.
        pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else self._ends[0]
        configuration: Any = GenerationConfig  # untyped
        self._model.generation_config = configuration(eos_token_id=self._ends, pad_token_id=pad)

    @property
    def can_score(self) -> bool:
        """See Engine."""
        return True

    async def complete(self, request: ChatRequest) -> Completion:
        """See Engine. A JSON schema is refused: nothing here could hold an answer to it."""
        started = time.perf_counter()
        with time_limit(anyio.current_time() + self._total):
            async with self._gate.admitted(), self._gate.slot():
                completion = await self._in_thread(lambda stop: self._generate(request, stop, started))
        check_constraint(request, completion.text, completion.finish_reason)
        return completion

    async def stream(self, request: ChatRequest) -> AsyncGenerator[str, None]:
        """See Engine."""
        until, started, pieces = anyio.current_time() + self._total, time.perf_counter(), Pieces(self._text)
        async with self._gate.admitted(), self._gate.slot(until):
            stop = threading.Event()
            worker = Worker(lambda: self._generate(request, stop, started, pieces), pieces.close)
            try:
                while True:
                    with time_limit(until):
                        piece = await to_thread.run_sync(pieces.next, abandon_on_cancel=True)
                    if piece is None:
                        break
                    yield piece
            finally:
                stop.set()
            completion = worker.result()
        check_constraint(request, completion.text, completion.finish_reason)

    async def score(self, request: ChatRequest, continuations: Sequence[str]) -> tuple[LabelScore, ...]:
        """See Engine."""
        check_continuations(continuations)
        with time_limit(anyio.current_time() + self._total):
            async with self._gate.admitted(), self._gate.slot():
                return await self._in_thread(
                    lambda stop: tuple(self._score(request, text) for text in continuations if not stop.is_set())
                )

    async def count(self, request: ChatRequest) -> TokenCount:
        """See Engine."""
        with time_limit(anyio.current_time() + self._total):
            async with self._gate.admitted(), self._gate.slot():
                return await self._in_thread(lambda _stop: self._count(request))

    async def probe(self) -> float:
        """See Engine. Waits for its turn: with one model in one process, busy is alive."""
        request = ChatRequest((Message("user", (TextPart("Say yes."),)),), self._name, max_new_tokens=1)
        return (await self.complete(request)).latency

    async def aclose(self) -> None:
        """See Engine."""
        self._model = self._processor = None

    async def _in_thread(self, work: Callable[[threading.Event], _Result]) -> _Result:
        stop = threading.Event()
        try:
            return await to_thread.run_sync(lambda: work(stop), abandon_on_cancel=True)
        finally:
            stop.set()

    def _generate(
        self, request: ChatRequest, stop: threading.Event, started: float, streamer: Pieces | None = None
    ) -> Completion:
        if request.json_schema is not None:
            raise InputRefused("this engine cannot hold an answer to a schema; use a server that can")
        with self._alone, torch.inference_mode(), _memory():
            inputs = self._inputs(request, "")
            length = inputs["input_ids"].shape[1]
            self._check_length(length + request.max_new_tokens)
            torch.manual_seed(request.seed)
            output = self._model.generate(
                **inputs,
                **self._decoding(request, length),
                stopping_criteria=[_Stop(stop)],
                streamer=streamer,
                return_dict_in_generate=True,
                output_logits=request.logprobs,
            )
            ids = output.sequences[0, length:].tolist()
            logprobs = self._logprobs(ids, output.logits) if request.logprobs else ()
        reason = "stop" if ids[-1] in self._ends else "length"
        spent = time.perf_counter() - started
        return Completion(self._text(ids), reason, logprobs, length, len(ids), None, spent)

    def _decoding(self, request: ChatRequest, length: int) -> dict[str, Any]:
        choices = request.choice
        decoding: dict[str, Any] = {"max_new_tokens": request.max_new_tokens, "do_sample": False}
        if request.temperature > 0:
            decoding |= {"do_sample": True, "temperature": request.temperature}
            decoding |= {"top_p": request.top_p, "top_k": request.top_k}
        if choices is not None:
            decoding["prefix_allowed_tokens_fn"] = lambda _, ids: self._speller.next_tokens(
                choices, ids[length:].tolist(), self._ends
            )
        return decoding

    def _score(self, request: ChatRequest, continuation: str) -> LabelScore:
        with self._alone, torch.inference_mode(), _memory():
            inputs = self._inputs(request, continuation)
            ids = inputs["input_ids"][0]
            self._check_length(len(ids))
            count = self._spelt_by(ids.tolist(), continuation)
            # A token's probability stands at the position before it.
            logits = self._model(**inputs, logits_to_keep=count + 1).logits[0, :-1].float()
            picked = logits.log_softmax(-1).gather(1, ids[-count:, None])
        return LabelScore(continuation, float(picked.sum()), count, len(ids))

    def _spelt_by(self, ids: list[int], continuation: str) -> int:
        """How many ids at the end spell `continuation`."""
        for count in range(1, len(ids)):
            text = self._text(ids[-count:])
            if text == continuation:
                return count
            if len(text) > len(continuation):
                break
        raise InputRefused("the tokenizer joins the continuation with what stands before it; move the space into it")

    def _inputs(self, request: ChatRequest, continuation: str) -> Any:
        """Token ids and pixels of the prompt, as the checkpoint's own template and processor make them."""
        if request.model != self._name:
            raise EngineMisconfigured("this engine does not serve the model of the request")
        opening = request.opening + continuation
        turns = [_turn(message) for message in request.messages]
        if request.opening:
            turns.pop()
        if opening:
            turns.append({"role": "assistant", "content": [{"type": "text", "text": opening}]})
        parts = [part for message in request.messages for part in message.parts]
        images = [Image.fromarray(part.rgb) for part in parts if isinstance(part, ImagePart)]
        try:
            text = self._processor.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=not opening, continue_final_message=bool(opening)
            )
            inputs = self._processor(text=[text], images=images or None, return_tensors="pt")
        except Exception as error:  # templates are programs and fail as they like, often with the prompt in the message
            name = type(error).__name__
            raise InputRefused(f"the model's template or processor does not take these messages ({name})") from None
        return inputs.to(self._model.device)

    def _count(self, request: ChatRequest) -> TokenCount:
        with self._alone:
            return TokenCount(self._inputs(request, "")["input_ids"].shape[1], self._limit)

    def _check_length(self, tokens: int) -> None:
        if tokens > self._limit:
            raise ContextTooLong(f"prompt and answer exceed the model's context of {self._limit} tokens")

    @property
    def _limit(self) -> int:
        return int(self._model.config.get_text_config().max_position_embeddings)

    def _text(self, ids: Sequence[int]) -> str:
        """What the ids spell; a character that is not complete at the end is left out, as servers do."""
        return str(self._processor.tokenizer.decode(ids, skip_special_tokens=True)).rstrip(_PARTIAL)

    def _logprobs(self, ids: Sequence[int], logits: Sequence[Any]) -> tuple[TokenLogprob, ...]:
        rows = torch.cat(tuple(logits)).float().log_softmax(-1)
        return tuple(
            TokenLogprob(self._text_of(number), float(row[number])) for number, row in zip(ids, rows, strict=True)
        )

    def _text_of(self, number: int) -> str:
        text = self._processor.tokenizer.decode([number])
        return "" if _PARTIAL in text else str(text)

    @cached_property
    def _speller(self) -> Speller:
        special = set(self._processor.tokenizer.all_special_ids)
        numbers = range(len(self._processor.tokenizer))
        return Speller("" if number in special else self._text_of(number) for number in numbers)


class _Stop(StoppingCriteria):
    """Ends a generation from another thread."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop

    def __call__(self, input_ids: Any, *_: Any, **__: Any) -> Any:
        return torch.full((input_ids.shape[0],), self._stop.is_set(), device=input_ids.device)


def _turn(message: Message) -> dict[str, Any]:
    """A message as templates read it; pictures are given to the processor apart, in the same order."""
    kinds = [
        {"type": "text", "text": part.text} if isinstance(part, TextPart) else {"type": "image"}
        for part in message.parts
    ]
    return {"role": message.role, "content": kinds}


def _model(folder: Path, adapter: Path | None, dtype: str) -> Any:
    """The model, complete. Tensors that a checkpoint lacks would be random, with a line in the log only."""
    model, info = _loaded(AutoModelForImageTextToText, folder, dtype=dtype, output_loading_info=True)
    if info["missing_keys"]:
        raise EngineMisconfigured(f"the checkpoint lacks {len(info['missing_keys'])} tensors of its model")
    if adapter is None:
        return model
    try:
        peft = importlib.import_module("peft")
    except ImportError as error:
        raise EngineMisconfigured("adapters need the package peft: pip install 'dermacite[adapters]'") from error
    with _refusals("adapter"):
        return peft.PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()


def _loaded(kind: Any, folder: Path, **options: Any) -> tuple[Any, ...]:
    """What `kind` makes of the folder. Neither the network nor code that lies in the folder is used."""
    with _refusals("checkpoint"):
        loaded = kind.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False, **options)
    return loaded if isinstance(loaded, tuple) else (loaded,)


@contextmanager
def _refusals(what: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise EngineMisconfigured(f"the {what} cannot be loaded ({type(error).__name__})") from error


@contextmanager
def _memory() -> Iterator[None]:
    """A device without memory left is busy with something else."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise EngineOverloaded("the device has no memory left for this request") from error
