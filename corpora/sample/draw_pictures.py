"""Draws the sample corpus: reference pictures with their manifest, and four held-out consultation pictures.

Run as `python corpora/sample/draw_pictures.py`. The same versions of NumPy and Pillow give the same bytes every time.
"""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from drawing.bodies import Body, prepare
from drawing.canvas import Canvas, View
from drawing.photodermatosis import Photodermatosis
from drawing.plan import GROUPS, HELD_OUT, LESIONS, Lesion
from numpy.typing import NDArray
from PIL import Image

HERE = Path(__file__).resolve().parent
LICENCE = "Apache-2.0"
SOURCE = "Dermacite sample corpus"
COLUMNS = ("picture", "label", "group", "caption", "subject", "lesion", "split", "skin_tone", "licence", "source")
JPEG_QUALITY = 83
_SEED = 20261122
_HELD_OUT_FROM = 900  # numbers of held-out lesions start here, far from those of the reference lesions


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture to draw. `number` identifies the lesion, `view` its picture (0 or 1)."""

    lesion: Lesion
    number: int
    subject: int
    view: int


def reference_shots() -> list[Shot]:
    """All reference pictures in the order of their file names, which says nothing about the label."""
    shots, subject = [], 0
    for number, lesion in enumerate(LESIONS, start=1):
        subject += 0 if lesion.again else 1
        shots += [Shot(lesion, number, subject, view) for view in range(lesion.views)]
    order = np.random.default_rng(_SEED).random(len(shots)).argsort()
    return [shots[i] for i in order]


def held_out_shots() -> list[Shot]:
    """The consultation pictures in the order of their file names."""
    return [Shot(case.lesion, _HELD_OUT_FROM + i, _HELD_OUT_FROM + i, 0) for i, case in enumerate(HELD_OUT)]


def draw(shot: Shot) -> NDArray[np.uint8]:
    """[288, 288, 3] uint8 RGB. The lesion depends on its number only, camera and light on the view as well."""
    seed = _SEED + shot.number * 101
    canvas = Canvas(shot.lesion.form.tone, _view(shot), seed)
    rng = np.random.default_rng(seed)
    prepare(canvas, shot.lesion.form.body, shot.lesion.form.hairs, rng)
    shot.lesion.form.draw(canvas, rng)
    return canvas.photograph()


def _view(shot: Shot) -> View:
    rng = np.random.default_rng([_SEED, shot.number, shot.view])
    # Faces and necklines are photographed upright; other skin has no upper side.
    form = shot.lesion.form
    upright = form.body is Body.FACE or isinstance(form, Photodermatosis)
    swing = 14.0 if upright else 180.0
    view = View(
        turn=float(rng.uniform(-swing, swing)),
        zoom=float(rng.uniform(0.84, 1.12)),
        shift=(float(rng.uniform(-0.13, 0.13)), float(rng.uniform(-0.13, 0.13))),
        light=float(rng.uniform(0, 360)),
        falloff=float(rng.uniform(0.2, 1.0)),
        warmth=float(rng.uniform(-0.7, 0.9)),
    )
    return view if shot.view == 0 else replace(view, zoom=view.zoom * 1.12)


def save(picture: NDArray[np.uint8], path: Path) -> None:
    """Writes a JPEG without any metadata."""
    Image.fromarray(picture).save(path, "JPEG", quality=JPEG_QUALITY, optimize=True)


def caption(shot: Shot) -> str:
    """The lesion's description; a second view is worded differently."""
    return shot.lesion.form.caption(shot.number + shot.view)


def rows(shots: list[Shot]) -> Iterator[dict[str, str]]:
    """One manifest line per reference picture."""
    for place, shot in enumerate(shots, start=1):
        yield {
            "picture": f"pictures/s{place:03d}.jpg",
            "label": shot.lesion.label,
            "group": GROUPS[shot.lesion.label],
            "caption": caption(shot),
            "subject": f"P{shot.subject:03d}",
            "lesion": f"L{shot.number:03d}",
            "split": "reference",
            "skin_tone": str(shot.lesion.form.tone),
            "licence": LICENCE,
            "source": SOURCE,
        }


def write_references(folder: Path) -> None:
    """Writes `pictures/*.jpg` and `manifest.csv` under `folder`."""
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    shots = reference_shots()
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        for shot, row in zip(shots, rows(shots), strict=True):
            save(draw(shot), folder / row["picture"])
            table.writerow(row)


def write_consultations(folder: Path) -> None:
    """Writes `c1.jpg` ... and `consultations.jsonl` under `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for place, (case, shot) in enumerate(zip(HELD_OUT, held_out_shots(), strict=True), start=1):
        save(draw(shot), folder / f"c{place}.jpg")
        lines.append(
            {
                "picture": f"c{place}.jpg",
                "note": case.note,
                "age": case.age,
                "sex": case.sex,
                "body_site": case.body_site,
                "skin_tone": case.lesion.form.tone,
                "lesion": f"L{shot.number:03d}",
                "subject": f"P{shot.subject:03d}",
                "expected_label": case.lesion.label,
                "licence": LICENCE,
                "source": SOURCE,
            }
        )
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    (folder / "consultations.jsonl").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_references(HERE / "cases")
    write_consultations(HERE / "consultations")
    print(f"{len(reference_shots())} reference and {len(HELD_OUT)} consultation pictures in {HERE}")
