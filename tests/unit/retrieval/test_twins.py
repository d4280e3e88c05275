"""Which references are the query's picture: every alteration, every combination, and nothing else."""

from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.alterations import KINDS, encoded, turned_by_tag
from knowledge.pictures import admit_picture
from retrieval.sketches import SKETCH_BYTES, Sketch, sketch_of
from retrieval.twins import PROPOSED, SketchTable, same_picture
from tests.drawing import Pixels, plain_skin, scene
from tests.fakes import ROOT, sketch_named

SAMPLE = ROOT / "corpora" / "sample" / "cases" / "pictures"
SCENES = [scene(number) for number in range(24)]
TABLE = SketchTable.of(np.stack([sketch_of(picture) for picture in SCENES]))
ALTERATIONS = [(kind, name) for kind, alterations in KINDS.items() for name in alterations]
PAIRS = [pair for pair in combinations(ALTERATIONS, 2) if pair[0][0] != pair[1][0]]


def altered(picture: Pixels, *steps: tuple[str, str]) -> Sketch:
    image = Image.fromarray(picture)
    for kind, name in steps:
        image = KINDS[kind][name](image)
    return sketch_of(np.asarray(image))


@pytest.mark.parametrize(("kind", "name"), ALTERATIONS)
def test_an_altered_copy_is_a_twin_and_nothing_else_is(kind: str, name: str) -> None:
    for number in range(0, 24, 4):
        assert TABLE.twins(altered(SCENES[number], (kind, name))).tolist() == [number]


def test_any_two_alterations_are_seen_through() -> None:
    found = {pair: TABLE.twins(altered(SCENES[at % 24], *pair)).tolist() for at, pair in enumerate(PAIRS)}
    assert [pair for at, pair in enumerate(PAIRS) if found[pair] != [at % 24]] == []


def test_it_does_not_matter_which_of_the_two_was_altered() -> None:
    for kind, name in ALTERATIONS:
        table = SketchTable.of(np.stack([altered(picture, (kind, name)) for picture in SCENES]))
        assert table.twins(sketch_of(SCENES[7])).tolist() == [7], (kind, name)


def test_a_picture_that_a_tag_turns_is_recognised() -> None:
    picture = admit_picture(turned_by_tag(Image.fromarray(SCENES[3])))
    assert TABLE.twins(sketch_of(picture.rgb)).tolist() == [3]


def test_photographs_of_plain_skin_are_told_apart_and_their_copies_are_not() -> None:
    # Twelve of each of two persons: the same colour, the same smoothness.
    skins = [plain_skin(number, number % 2) for number in range(24)]
    table = SketchTable.of(np.stack([sketch_of(skin) for skin in skins]))
    for number, (kind, name) in product(range(0, 24, 7), ALTERATIONS):
        assert table.twins(altered(skins[number], (kind, name))).tolist() == [number], (kind, name)


def test_the_drawn_pictures_of_the_sample_are_told_apart() -> None:
    files = sorted(Path(SAMPLE).iterdir())
    table = SketchTable.of(np.stack([sketch_of(admit_picture(file.read_bytes()).rgb) for file in files]))
    for row in range(len(files)):
        assert table.twins(table.sketch(row)).tolist() == [row], files[row].name


def test_two_copies_are_both_found_and_rows_ascend() -> None:
    sketches = np.stack([sketch_of(SCENES[1]), sketch_of(SCENES[2]), altered(SCENES[1], ("turned", "mirrored"))])
    assert SketchTable.of(sketches).twins(sketch_of(SCENES[1])).tolist() == [0, 2]


def test_base_and_delta_are_one_table() -> None:
    sketches = np.stack([sketch_of(picture) for picture in SCENES])
    split = SketchTable.of(sketches[:9], sketches[9:])
    for number in (0, 8, 9, 23):
        assert split.twins(sketches[number]).tolist() == [number]
        assert np.array_equal(split.sketch(number), sketches[number])


def test_an_unknown_sketch_is_nobody_s_twin() -> None:
    sketches = np.stack([np.zeros(SKETCH_BYTES, dtype=np.uint8), sketch_of(SCENES[0])])
    table = SketchTable.of(sketches)
    assert table.known.tolist() == [False, True]
    assert table.twins(sketch_of(SCENES[0])).tolist() == [1]
    assert SketchTable.unknown(3).twins(sketch_of(SCENES[0])).tolist() == []


def test_an_empty_table_has_no_twins() -> None:
    assert SketchTable.unknown(0).twins(sketch_of(SCENES[0])).tolist() == []


def test_a_copy_is_found_among_more_rows_than_are_laid_over_it() -> None:
    noise = np.stack([sketch_named(str(number)) for number in range(5_000)])
    table = SketchTable.of(noise, sketch_of(SCENES[0])[None])
    assert len(table.known) > PROPOSED
    query = altered(SCENES[0], ("cropped", "all sides 7 %"), ("turned", "by 90"))
    assert table.twins(query).tolist() == [5_000]


def test_a_flat_picture_is_no_copy_of_another() -> None:
    flat = sketch_of(np.full((64, 64, 3), 128, dtype=np.uint8))
    assert same_picture(flat, flat[None]).tolist() == [False]


def test_another_colour_is_another_picture() -> None:
    recoloured = SCENES[6][..., ::-1].copy()
    assert TABLE.twins(sketch_of(recoloured)).tolist() == []


def test_files_of_other_formats_are_seen_through() -> None:
    for container in ("JPEG", "PNG", "WEBP"):
        picture = admit_picture(encoded(Image.fromarray(SCENES[5]), container))
        assert TABLE.twins(sketch_of(picture.rgb)).tolist() == [5]
