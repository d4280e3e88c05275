"""Index generations: built aside by a child process, published in one rename, swept, and damage found out."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from retrieval.embeddings import text_key
from retrieval.errors import IndexBroken, IndexMismatch
from retrieval.generation import FORMAT, MANIFEST, SPACES, Manifest, damaged_files
from retrieval.index import BUILDING, CURRENT, IndexFolder, contents_of
from retrieval.lexical import TOKENIZER
from retrieval.search import Encoders
from tests.fakes import COLOURS, ROOT, Corpus, FakeImageEncoder, FakeTextEncoder, case_of, patch_of

# Two collections that are not what was meant to be written: one lacks a vector, one has them in other rows.
LOSING = """
import sys
from pathlib import Path
import numpy
from retrieval.chroma import chroma_in
from retrieval.errors import IndexBroken
matrix = numpy.load(sys.argv[2])
store = chroma_in(Path(sys.argv[1]))
store.write({"lost": matrix[:-1], "turned": numpy.roll(matrix, 1, axis=0)})
for name in ("lost", "turned"):
    try:
        store.verify({name: matrix})
    except IndexBroken as error:
        print(error)
"""


@pytest.fixture
def generation(built: Corpus) -> Path:
    current = built.index.current()
    assert current is not None
    return current


def finished_build(corpus: Corpus, name: str = "copy") -> Path:
    """An unpublished folder like the ones `build` returns, without the time of a child process."""
    current = corpus.index.current()
    assert current is not None
    return shutil.copytree(current, corpus.index.folder / f"{BUILDING}{name}")


def edit_manifest(folder: Path, **changes: object) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(manifest | changes))


# --- a generation --------------------------------------------------------------------------------------------------


def test_a_generation_says_what_it_holds(built: Corpus, generation: Path) -> None:
    manifest = Manifest.read(generation)
    assert manifest.counts == {"pictures": 12, "captions": 12, "passages": 4}
    assert manifest.dimensions == {"pictures": 48, "captions": 64, "passages": 64}
    assert manifest.recall_at_10 == {"pictures": 1.0, "captions": 1.0, "passages": 1.0}
    assert manifest.self_recall == {"pictures": 1.0, "captions": 1.0, "passages": 1.0}
    assert manifest.fingerprints == built.index.fingerprints
    assert (manifest.format, manifest.tokenizer) == (FORMAT, TOKENIZER)
    assert manifest.corpus_generation == built.registry.corpus_generation() == built.index.corpus_generation()


def test_its_rows_are_those_of_the_registry_with_their_vectors(built: Corpus, generation: Path) -> None:
    passages = built.registry.passage_texts()
    assert json.loads((generation / "passages.json").read_text()) == [passage_id for passage_id, _ in passages]
    expected = built.encoders.passages.encode_documents([text for _, text in passages])
    assert np.allclose(np.load(generation / "passages.npy"), expected)


def test_a_case_without_a_caption_is_a_zero_row(corpus: Corpus) -> None:
    corpus.add_case(case_of("bare"), patch_of(COLOURS["psoriasis"]))
    contents = contents_of(corpus.registry, corpus.embeddings, corpus.index)
    assert not contents.matrices["captions"].any()
    assert contents.matrices["pictures"].any()


def test_an_empty_corpus_can_be_built_and_published(corpus: Corpus) -> None:
    final = corpus.index.publish(corpus.build())
    assert Manifest.read(final).counts == dict.fromkeys(SPACES, 0)
    assert corpus.reader().view().passages.ids == ()


def test_only_what_came_after_a_generation_is_in_the_delta(built: Corpus) -> None:
    since = built.registry.corpus_generation()
    built.add_document("new-guide", ["Offer imiquimod for actinic keratosis."])
    contents = contents_of(built.registry, built.embeddings, built.index, since=since)
    assert contents.ids == {"cases": [], "passages": ["p-new-guide-1"]}


def test_contents_without_vectors_are_refused_with_the_command_that_mends(built: Corpus) -> None:
    built.embeddings.delete([text_key(text) for _, text in built.registry.passage_texts()])
    with pytest.raises(IndexMismatch, match="dermacite reindex"):
        contents_of(built.registry, built.embeddings, built.index)


def test_a_store_that_lost_or_mixed_up_vectors_does_not_pass(tmp_path: Path) -> None:
    np.save(tmp_path / "matrix.npy", np.eye(40, dtype=np.float32))
    command = [sys.executable, "-c", LOSING, str(tmp_path / "chroma"), str(tmp_path / "matrix.npy")]
    said = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True).stdout.splitlines()
    assert said == ["lost: 39 of 40 vectors, cosine distance", "turned: only 0.0% of the vectors find themselves"]


# --- publishing ----------------------------------------------------------------------------------------------------


def test_before_the_first_build_there_is_no_generation(corpus: Corpus) -> None:
    assert (corpus.index.current(), corpus.index.corpus_generation(), corpus.index.unfinished()) == (None, None, [])


def test_a_build_does_not_serve_until_it_is_published(built: Corpus, generation: Path) -> None:
    aside = finished_build(built)
    assert built.index.current() == generation
    final = built.index.publish(aside)
    assert built.index.current() == final != generation
    assert not aside.exists()


def test_a_generation_is_named_after_the_corpus_generation(built: Corpus) -> None:
    final = built.index.publish(finished_build(built, "cafe"))
    assert final.name == f"g{built.registry.corpus_generation():08d}-cafe"


def test_the_previous_generation_stays_for_its_readers_and_older_ones_go(built: Corpus, generation: Path) -> None:
    second = built.index.publish(finished_build(built, "second"))
    assert generation.is_dir()
    third = built.index.publish(finished_build(built, "third"))
    assert (generation.exists(), second.is_dir(), third.is_dir()) == (False, True, True)


def test_after_a_deletion_no_older_generation_stays(built: Corpus, generation: Path) -> None:
    final = built.index.publish(finished_build(built), keep_previous=False)
    assert [path for path in built.index.folder.iterdir() if path.name != CURRENT] == [final]


@pytest.mark.parametrize("place", ["relative", "through a link"])
def test_a_new_generation_survives_its_own_sweep(
    place: str, built: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(built.home)
    (tmp_path / "link").symlink_to(built.home / "indexes")
    root = Path("indexes") if place == "relative" else tmp_path / "link"
    index = IndexFolder(root, built.index.fingerprints, built.index.dimensions)
    final = index.publish(finished_build(built))
    assert (final / MANIFEST).is_file()
    assert index.current() == final


def test_a_build_of_other_encoders_is_not_published(built: Corpus, generation: Path) -> None:
    aside = finished_build(built)
    edit_manifest(aside, fingerprints=dict.fromkeys(SPACES, "other"))
    with pytest.raises(IndexBroken, match="other encoders"):
        built.index.publish(aside)
    assert built.index.current() == generation


def test_an_unfinished_build_is_not_published(built: Corpus, generation: Path) -> None:
    aside = finished_build(built)
    (aside / MANIFEST).unlink()
    with pytest.raises(IndexBroken, match="manifest"):
        built.index.publish(aside)
    assert built.index.current() == generation


# --- sweeping ------------------------------------------------------------------------------------------------------


def test_builds_that_were_killed_are_named_and_swept(built: Corpus, generation: Path) -> None:
    finished_build(built, "dead")
    assert built.index.unfinished() == [f"{BUILDING}dead"]
    assert built.index.sweep() == [f"{BUILDING}dead"]
    assert (built.index.unfinished(), built.index.current()) == ([], generation)
    assert (generation / MANIFEST).is_file()


def test_a_switch_that_was_killed_leaves_nothing_after_a_sweep(built: Corpus) -> None:
    (built.index.folder / f".{CURRENT}-dead").symlink_to("nowhere")
    built.index.sweep()
    assert not os.path.lexists(built.index.folder / f".{CURRENT}-dead")


def test_the_next_build_sweeps_what_an_earlier_one_left(built: Corpus) -> None:
    finished_build(built, "dead")
    built.index.publish(finished_build(built, "alive"))
    assert built.index.unfinished() == []


def test_indexes_of_other_encoders_are_kept_apart_and_removed_on_demand(built: Corpus, generation: Path) -> None:
    other = IndexFolder(built.home / "indexes", dict.fromkeys(SPACES, "other"), built.index.dimensions)
    assert (other.folder != built.index.folder, other.current()) == (True, None)
    shutil.copytree(generation, other.folder / "g1")
    assert built.index.holds(["p-acne-guide-1", "unknown"])
    other.remove_others()
    assert built.index.current() is None
    assert other.holds(["p-acne-guide-1"])
    assert not other.holds(["unknown"])


# --- damage --------------------------------------------------------------------------------------------------------


def test_a_sound_generation_has_no_damaged_files(generation: Path) -> None:
    assert damaged_files(generation) == []


def cut_short(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def flip_a_bit(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize("name", ["passages.npy", "cases.json", "captions.bm25/lengths.json", "calibration.json"])
@pytest.mark.parametrize("damage", [cut_short, flip_a_bit, Path.unlink])
def test_damage_to_a_file_is_found_out(name: str, damage: Callable[[Path], None], generation: Path) -> None:
    damage(generation / name)
    assert damaged_files(generation) == [name]


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"unknown": 1}', "\x00"], ids=repr)
def test_a_manifest_that_cannot_be_read_is_an_error_with_the_command_that_mends(
    text: str | None, generation: Path
) -> None:
    (generation / MANIFEST).unlink()
    if text is not None:
        (generation / MANIFEST).write_text(text)
    with pytest.raises(IndexBroken, match="dermacite reindex"):
        Manifest.read(generation)


def test_other_fingerprints_are_other_folders(tmp_path: Path) -> None:
    one = Encoders(FakeImageEncoder(), FakeTextEncoder(), FakeTextEncoder())
    two = Encoders(FakeImageEncoder(), FakeTextEncoder(), FakeTextEncoder("changed"))
    folders = {IndexFolder(tmp_path, encoders.fingerprints(), {}).folder for encoders in (one, two, one)}
    assert len(folders) == 2
