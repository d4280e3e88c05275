"""The child process that recognises text: `python -m knowledge.pdf.ocr_worker MEMORY_BYTES`.

It speaks as `knowledge.pdf.worker` does. Requests: `{"op": "load"}`, answered by `ready` or, without the extra `ocr`,
`missing`; `{"op": "read", "png"}`, answered by `lines`: `[text, confidence, left, top, right, bottom]` each, in pixels,
and whether the picture had to be turned. After anything else the child ends.
"""

import base64
import io
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from knowledge.pdf.worker import Message, serve

_MODEL = "PP-OCRv6_{}_small.onnx"
_LONGEST_SIDE = 3_000
"""Pixels beyond which the library shrinks a picture; pages are drawn smaller than that."""
_THREADS = 4
_SURE = 0.8
"""Mean confidence from which a page stands upright: of upside-down lines it is 0.55 to 0.75, of upright ones 0.98."""
_UPRIGHT, _TURNED, _SIDEWAYS = (0,), (0, 2), (1, 3)
"""Quarter turns to try."""

Found = list[tuple[str, float, float, float, float, float]]


def _answer(request: Message) -> Iterator[Message]:
    if request["op"] == "load":
        try:
            _engine()
        except ModuleNotFoundError:
            yield {"kind": "missing"}
        else:
            yield {"kind": "ready"}
    else:
        yield {"kind": "lines", "lines": _read(base64.b64decode(request["png"]))}


@cache
def _engine() -> Any:
    # Imported here, after the memory limit is set and in this process only.
    import onnxruntime  # noqa: F401  the library would miss it only at the first page
    import rapidocr

    models = Path(rapidocr.__file__).parent / "models"
    return rapidocr.RapidOCR(
        params={
            "Global.log_level": "critical",
            # What is too unsure is left out, and counted, by the parent.
            "Global.text_score": 0.0,
            "Global.max_side_len": _LONGEST_SIDE,
            # It judges line by line whether one is upside down, and turned every twentieth upright line into rubbish.
            "Global.use_cls": False,
            # The models of the wheel, named: without a path the library would download what it misses.
            "Det.model_path": str(models / _MODEL.format("det")),
            "Rec.model_path": str(models / _MODEL.format("rec")),
            "EngineConfig.onnxruntime.intra_op_num_threads": min(_THREADS, os.cpu_count() or 1),
            # With the arena a page takes a quarter less time; with batches of 6 it takes 2.0 instead of 1.5 GB.
            "EngineConfig.onnxruntime.enable_cpu_mem_arena": True,
            "Rec.rec_batch_num": 2,
        }
    )


def _read(png: bytes) -> Found:
    """Lines of a picture, turned upright if it was scanned upside down or sideways."""
    import numpy as np
    from PIL import Image

    picture = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))[:, :, ::-1]
    found = _lines(picture)
    turns = _SIDEWAYS if _stands(found) else _TURNED if _mean(found) < _SURE else _UPRIGHT
    if turns == _UPRIGHT or not found:
        return found
    tries = [found if turn == 0 else _lines(np.ascontiguousarray(np.rot90(picture, turn))) for turn in turns]
    return max(tries, key=_mean)


def _lines(picture: Any) -> Found:
    result = _engine()(picture)
    if result.txts is None:
        return []
    lines: Found = []
    for text, score, corners in zip(result.txts, result.scores, result.boxes, strict=True):
        (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
        lines.append((str(text).strip(), round(float(score), 4), left, top, right, bottom))
    return lines


def _stands(lines: Found) -> bool:
    """Whether most of the words run up or down the picture."""
    words = [line for line in lines if len(line[0]) > 3]
    return 2 * sum(bottom - top > right - left for _, _, left, top, right, bottom in words) > len(words)


def _mean(lines: Found) -> float:
    characters = sum(len(line[0]) for line in lines)
    return sum(line[1] * len(line[0]) for line in lines) / max(1, characters)


if __name__ == "__main__":
    serve(_answer)
