"""Reading captioned collections: each layout, and what becomes of every kind of bad row."""

import csv
import io
import json
import time
from pathlib import Path

import pytest

from knowledge.cases import CaseFolder, CaseRow, RejectedRow, normalise_label, read_cases
from knowledge.errors import CasesRefused


def put(root: Path, *names: str) -> None:
    """Empty files; the readers locate pictures and leave opening them to `knowledge.pictures`."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def manifest(root: Path, text: str | bytes, name: str = "manifest.csv") -> CaseFolder:
    (root / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return read_cases(root)


def usable(folder: CaseFolder) -> list[CaseRow]:
    return [row for row in folder.rows if isinstance(row, CaseRow)]


def rejections(folder: CaseFolder) -> list[tuple[int, str]]:
    return [(row.row, row.reason) for row in folder.rows if isinstance(row, RejectedRow)]


def refusal(path: Path) -> CasesRefused:
    with pytest.raises(CasesRefused) as caught:
        read_cases(path)
    return caught.value


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data set's folder with two pictures, and a file beside it that no manifest may reach."""
    folder = tmp_path / "skin-study"
    put(folder, "a.jpg", "deep/b.png")
    put(tmp_path, "secret.jpg")
    return folder


# --- labels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "label"),
    [
        ("  Lichen-Planus ", "lichen planus"),
        ("basal  cell\tcarcinoma", "basal cell carcinoma"),
        ("Sjögren-Syndrom", "sjögren syndrom"),
        ("neurofibromatosis type 1", "neurofibromatosis type 1"),
        (" - ", ""),
        ("", ""),
    ],
)
def test_labels_are_normalised_as_upstream_does(raw: str, label: str) -> None:
    assert normalise_label(raw) == label
    assert normalise_label(label) == label


# --- manifest.csv ----------------------------------------------------------------------------------------------------


def test_a_full_manifest_is_read(root: Path) -> None:
    folder = manifest(
        root,
        "picture,label,caption,group,subject,lesion,split,skin_tone,licence,source\n"
        "a.jpg,Psoriasis,Plaques on the elbow.,1. Inflammatory,p7,l2,train,3,CC0-1.0,clinic\n"
        "deep/b.png,Acne,,,,,,,,\n",
    )
    assert (folder.dataset, folder.format) == ("skin-study", "manifest.csv")
    assert folder.rows == (
        CaseRow(
            row=2,
            picture=(root / "a.jpg").resolve(),
            label="psoriasis",
            caption="Plaques on the elbow.",
            group="1. Inflammatory",
            subject="p7",
            lesion="l2",
            split="train",
            skin_tone="3",
            licence="CC0-1.0",
            source="clinic",
        ),
        CaseRow(row=3, picture=(root / "deep/b.png").resolve(), label="acne", caption=""),
    )


def test_the_data_set_can_be_named_and_the_manifest_given_itself(root: Path) -> None:
    manifest(root, "picture,label\na.jpg,acne\n")
    folder = read_cases(root / "manifest.csv", dataset="clinic-b")
    assert folder.dataset == "clinic-b"
    assert len(usable(folder)) == 1


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_delimiters_and_column_names_are_tolerated(root: Path, delimiter: str, bom: bytes) -> None:
    lines = [[" File_Name", "LABEL ", "Licence", "extra", "caption"], ["a.jpg", "acne", "CC0", "?", "x"]]
    text = "\r\n".join(delimiter.join(cells) for cells in lines)
    (case,) = usable(manifest(root, bom + text.encode()))
    assert (case.label, case.caption, case.licence) == ("acne", "x", "CC0")


def test_captions_survive_to_the_character(root: Path) -> None:
    caption = 'Papules, 0.5\u20132 cm; "herald" patch\n5% KOH: ≥ 3/10 (1,25 mg/kg)\u00a0\u2013 cafe\u0301-au-lait; 皮疹'
    table = io.StringIO()
    csv.writer(table).writerows([["picture", "label", "caption"], ["a.jpg", "acne", f"  {caption}\n"]])
    assert usable(manifest(root, table.getvalue()))[0].caption == caption


def test_rows_carry_the_line_an_editor_shows(root: Path) -> None:
    text = 'picture,label,caption\n\na.jpg,acne,"two\nlines"\nmissing.jpg,acne,\ndeep/b.png,eczema,\n'
    folder = manifest(root, text)
    assert [(row.row, type(row)) for row in folder.rows] == [(3, CaseRow), (5, RejectedRow), (6, CaseRow)]


@pytest.mark.parametrize(
    "file", ["../secret.jpg", "deep/../../secret.jpg", "deep/../a.jpg", "..\\secret.jpg", "C:\\a.jpg", "\\\\host\\a"]
)
def test_no_path_leaves_the_folder(root: Path, file: str) -> None:
    folder = manifest(root, f"picture,label\n{file},acne\n")
    assert rejections(folder) == [(2, "picture_outside_folder")]
    assert [row.file for row in folder.rows if isinstance(row, RejectedRow)] == [file]


def test_no_absolute_path_and_no_link_leaves_the_folder(root: Path) -> None:
    (root / "link.jpg").symlink_to(root.parent / "secret.jpg")
    (root / "away").symlink_to(root.parent)
    (root / "inner.jpg").symlink_to(root / "deep" / "b.png")
    (root / "circle.jpg").symlink_to(root / "circle.jpg")
    rows = ["link.jpg", "away/secret.jpg", f"{(root / 'a.jpg').resolve()}", "inner.jpg", "circle.jpg"]
    folder = manifest(root, "picture,label\n" + "".join(f"{row},acne\n" for row in rows))
    outside = "picture_outside_folder"
    assert rejections(folder) == [(2, outside), (3, outside), (4, outside), (6, "picture_missing")]
    assert usable(folder)[0].picture == (root / "deep/b.png").resolve()


def test_windows_separators_are_understood(root: Path) -> None:
    assert usable(manifest(root, "picture,label\ndeep\\b.png,acne\n"))[0].picture.name == "b.png"


@pytest.mark.parametrize("file", ["nowhere.jpg", "deep", "", "A.JPG", "x" * 5000])
def test_a_picture_that_is_not_there_is_reported(root: Path, file: str) -> None:
    folder = manifest(root, f"picture,label\n{file},acne\n")
    assert rejections(folder) == [(2, "picture_missing")]
    assert all(len(row.file) <= 300 for row in folder.rows if isinstance(row, RejectedRow))


def test_labels_are_needed(root: Path) -> None:
    assert rejections(manifest(root, "picture,label\na.jpg, - \n")) == [(2, "label_missing")]


def test_repeated_rows_are_told_from_contradictions(root: Path) -> None:
    lines = ["a.jpg,acne,x", "./a.jpg,Acne ,x", "a.jpg,eczema,x", "a.jpg,acne,y", "deep/b.png,acne,x"]
    folder = manifest(root, "picture,label,caption\n" + "\n".join(lines))
    assert rejections(folder) == [(3, "duplicate_row"), (4, "conflicting_row"), (5, "conflicting_row")]
    assert [case.row for case in usable(folder)] == [2, 6]
    assert "row 2" in next(row.message.lower() for row in folder.rows if isinstance(row, RejectedRow))


def test_a_rejected_row_is_not_what_later_rows_repeat(root: Path) -> None:
    folder = manifest(root, "picture,label\na.jpg,\na.jpg,acne\n")
    assert rejections(folder) == [(2, "label_missing")]
    assert [case.row for case in usable(folder)] == [3]


def test_a_bad_line_costs_that_line_only(root: Path) -> None:
    text = (
        b"picture,label,caption\n"
        b"a.jpg,acne,one,too many\n"
        b"a.jpg\n"
        b"a.jpg,acne,caf\xe9\n"
        b"a.jpg,acne,nul\0byte\n"
        b'a.jpg,acne,"closed" late\n'
        b"a.jpg,acne,caf\xc3\xa9\n"
    )
    folder = manifest(root, text)
    columns = "wrong_number_of_columns"
    assert rejections(folder) == [(2, columns), (3, columns), (4, "not_utf8"), (5, "nul_byte"), (6, "bad_csv")]
    assert [(case.row, case.caption) for case in usable(folder)] == [(7, "café")]


def test_a_quote_that_is_never_closed_is_reported_with_its_lines(root: Path) -> None:
    folder = manifest(root, 'picture,label,caption\ndeep/b.png,acne,\na.jpg,acne,"no end\nx.jpg,acne,z\n')
    assert rejections(folder) == [(3, "bad_csv")]
    message = next(row.message for row in folder.rows if isinstance(row, RejectedRow))
    assert message.startswith("Lines 3 to 4 ")
    assert len(usable(folder)) == 1


def test_long_captions_are_read_and_endless_ones_rejected(root: Path) -> None:
    head = "picture,label,caption\n"
    assert len(usable(manifest(root, f"{head}a.jpg,acne,{'x' * 500_000}\n"))[0].caption) == 500_000
    endless = manifest(root, f"{head}a.jpg,acne,{'x' * 1_000_001}\ndeep/b.png,acne,\n")
    assert rejections(endless) == [(2, "bad_csv")]
    assert len(usable(endless)) == 1


def test_what_is_reported_can_be_printed_whatever_it_was(root: Path) -> None:
    folder = manifest(root, b"picture,label\n\xff\xfe.jpg,acne\nn\0.jpg,acne\n")
    assert rejections(folder) == [(2, "not_utf8"), (3, "nul_byte")]
    for row in folder.rows:
        assert isinstance(row, RejectedRow)
        assert row.file.encode().isascii()
        assert row.message


# --- manifest.jsonl --------------------------------------------------------------------------------------------------


def test_json_lines_are_read(root: Path) -> None:
    rows = [{"Picture": "a.jpg", "label": "Acne", "subject": 12, "caption": "a\nb", "split": None}, {"nothing": 1}]
    folder = manifest(root, "\ufeff" + "\r\n\r\n".join(json.dumps(row) for row in rows), "manifest.jsonl")
    assert folder.format == "manifest.jsonl"
    (case,) = usable(folder)
    assert (case.row, case.label, case.subject, case.caption, case.split) == (1, "acne", "12", "a\nb", None)
    assert rejections(folder) == [(3, "label_missing")]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"picture": "a.jpg", "label"', "bad_json"),
        (b'["a.jpg", "acne"]', "bad_json"),
        (b"[" * 100_000, "bad_json"),
        (b'{"picture": "a.jpg", "label": "acne", "caption": NaN}', "bad_json"),
        (b'{"picture": "a.jpg", "label": ["acne"]}', "bad_value"),
        (b'{"picture": "a.jpg", "label": true}', "bad_value"),
        (b'{"picture": "a.jpg", "label": "acne", "Label": "eczema"}', "bad_value"),
        (b'{"picture": "a.jpg", "label": "caf\xe9"}', "not_utf8"),
        (b'{"picture": "a.jpg", "label": "\\ud83d"}', "not_utf8"),
        (b'{"picture": "a.jpg", "label": "\\u0000"}', "nul_byte"),
    ],
)
def test_a_bad_json_line_costs_that_line_only(root: Path, line: bytes, reason: str) -> None:
    good = b'{"picture": "deep/b.png", "label": "acne"}'
    folder = manifest(root, line + b"\n" + good, "manifest.jsonl")
    assert rejections(folder) == [(1, reason)]
    assert [case.row for case in usable(folder)] == [2]


# --- class folders ---------------------------------------------------------------------------------------------------


def test_class_folders_are_read(tmp_path: Path) -> None:
    root = tmp_path / "atlas"
    put(root, "Lichen_planus/2.JPG", "Lichen_planus/10.webp", "acne-vulgaris/1.png", "README.md")
    put(root, ".git/x.png", "__MACOSX/acne/y.png", "acne-vulgaris/.hidden.png", "acne-vulgaris/Thumbs.db")
    folder = read_cases(root)
    assert (folder.dataset, folder.format) == ("atlas", "class_folders")
    assert rejections(folder) == []
    assert [(case.row, case.label, case.picture.name, case.caption) for case in usable(folder)] == [
        (1, "lichen planus", "10.webp", ""),
        (2, "lichen planus", "2.JPG", ""),
        (3, "acne vulgaris", "1.png", ""),
    ]


def test_what_class_folders_leave_out_is_reported(root: Path) -> None:
    put(root, "acne/1.png", "acne/notes.txt", "acne/more/2.png")
    (root / "elsewhere").symlink_to(root.parent)
    folder = read_cases(root)
    assert [(row.file, row.reason) for row in folder.rows if isinstance(row, RejectedRow)] == [
        ("a.jpg", "label_missing"),
        ("acne/more", "nested_folder"),
        ("acne/notes.txt", "not_a_picture"),
        ("elsewhere", "picture_outside_folder"),
    ]
    assert [case.label for case in usable(folder)] == ["acne", "deep"]


def test_a_split_above_the_labels_is_not_taken_for_a_label(tmp_path: Path) -> None:
    put(tmp_path, "train/acne/1.png", "test/acne/2.png")
    assert refusal(tmp_path).reason == "no_cases_found"
    assert len(usable(read_cases(tmp_path / "train"))) == 1


# --- SkinCAP ---------------------------------------------------------------------------------------------------------

SKINCAP_HEADER = (
    "id,skincap_file_path,ori_file_path,disease,caption_zh,caption_zh_polish,caption_zh_polish_en,remark,source,"
    "skin_tone,malignant,fitzpatrick_scale,fitzpatrick_centaur,nine_partition_label,three_partition_label,url,"
    "Vesicle,Papule,Do not consider this image"
)


def skincap(root: Path, rows: list[dict[str, str]], name: str = "skincap_v240623.csv") -> Path:
    """Our own rows under SkinCAP's columns, as pandas writes them; no text or picture of the collection itself."""
    table = io.StringIO()
    writer = csv.DictWriter(table, SKINCAP_HEADER.split(","))
    writer.writeheader()
    for number, row in enumerate(rows, start=1):
        put(root, f"skincap/{number}.png")
        writer.writerow({"id": str(number), "skincap_file_path": f"{number}.png", "disease": "acne"} | row)
    (root / name).write_bytes(b"\xef\xbb\xbf" + table.getvalue().encode())
    return root


def test_skincap_is_mapped(tmp_path: Path) -> None:
    row = {
        "disease": "Squamous-Cell Carcinoma",
        "caption_zh": "红斑",
        "caption_zh_polish_en": "A plaque of 2 cm,\nwith crusts.",
        "source": "fitzpatrick17k",
        "url": "https://example.org/1.jpg",
        "fitzpatrick_scale": "3",
        "nine_partition_label": "malignant epidermal",
    }
    folder = read_cases(skincap(tmp_path, [row, {}]))
    assert (folder.dataset, folder.format) == ("skincap", "skincap")
    case, bare = usable(folder)
    assert case == CaseRow(
        row=2,
        picture=(tmp_path / "skincap/1.png").resolve(),
        label="squamous cell carcinoma",
        caption="A plaque of 2 cm,\nwith crusts.",
        skin_tone="3",
        licence="CC-BY-NC-SA-4.0",
        source="fitzpatrick17k https://example.org/1.jpg",
    )
    assert (bare.row, bare.caption, bare.source, bare.group) == (4, "", None, None)


@pytest.mark.parametrize(
    ("scale", "tone", "expected"),
    [
        ("5.0", "", "5"),
        ("-1", "", None),
        ("-1.0", "34", "3-4"),
        ("", "12.0", "1-2"),
        ("", "56", "5-6"),
        ("2", "12", "2"),
        ("0", "7", None),
        ("nan", "unknown", None),
    ],
)
def test_skincap_skin_tones_are_types_or_nothing(tmp_path: Path, scale: str, tone: str, expected: str | None) -> None:
    folder = read_cases(skincap(tmp_path, [{"fitzpatrick_scale": scale, "skin_tone": tone}]))
    assert usable(folder)[0].skin_tone == expected


@pytest.mark.parametrize(("mark", "excluded"), [("1", True), ("1.0", True), ("0", False), ("0.0", False), ("", False)])
def test_what_skincap_excludes_is_excluded(tmp_path: Path, mark: str, excluded: bool) -> None:
    folder = read_cases(skincap(tmp_path, [{"Do not consider this image": mark}]))
    assert rejections(folder) == ([(2, "excluded_by_dataset")] if excluded else [])


def test_bad_skincap_rows_are_reported(tmp_path: Path) -> None:
    rows = [{"disease": ""}, {"skincap_file_path": "99.png"}, {"skincap_file_path": "../x.png"}]
    skincap(tmp_path, [*rows, {"skincap_file_path": ""}])
    with (tmp_path / "skincap_v240623.csv").open("a") as table:
        table.write("too,few\n")
    folder = read_cases(tmp_path)
    reasons = ["label_missing", "picture_missing", "picture_outside_folder", "picture_missing"]
    reasons.append("wrong_number_of_columns")
    assert [reason for _, reason in rejections(folder)] == reasons


def test_skincap_is_recognised_by_its_columns_under_any_name(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_bytes(b"\xff\xfea\0,\0b\0")
    assert read_cases(skincap(tmp_path, [{}], "export.csv")).format == "skincap"


def test_four_thousand_rows_take_no_time(tmp_path: Path) -> None:
    caption = {"caption_zh_polish_en": "Erythematous plaque with scale, 3 cm. " * 10}
    root = skincap(tmp_path, [caption] * 4000)
    started = time.perf_counter()
    assert len(usable(read_cases(root))) == 4000
    assert time.perf_counter() - started < 5  # about 0.3 s on two cores; slow machines are no failure


# --- refusals --------------------------------------------------------------------------------------------------------


def test_what_is_not_there_or_not_readable_is_refused(tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    (tmp_path / "manifest.csv").write_bytes("picture,label\na.jpg,acne\n".encode("utf-16"))
    for path in (tmp_path / "nowhere", tmp_path / "circle", tmp_path / "nul\0byte", tmp_path):
        assert refusal(path).reason == "not_readable"
    assert "UTF-8" in str(refusal(tmp_path))


def test_folders_and_files_without_cases_are_refused_with_the_layouts(tmp_path: Path) -> None:
    put(tmp_path, "empty/notes.txt", "loose/a.png", "file/cases.xlsx")
    for place in ("empty", "loose", "file/cases.xlsx"):
        error = refusal(tmp_path / place)
        assert error.reason == "no_cases_found"
        assert "manifest.csv" in str(error)
        assert place not in str(error)


def test_a_manifest_needs_its_columns_and_a_row(root: Path) -> None:
    for text in ("", 'picture,"label\na.jpg,acne\n', "image_id,dx\na,b\n", "picture,caption\na.jpg,x\n"):
        (root / "manifest.csv").write_text(text)
        assert refusal(root).reason == "manifest_columns_missing"
    (root / "manifest.csv").write_text("picture,label\n\n")
    assert refusal(root).reason == "no_cases_found"


def test_which_of_two_is_meant_is_not_guessed(root: Path) -> None:
    (root / "manifest.csv").write_text("picture,label,Label\na.jpg,acne,eczema\n")
    assert refusal(root).reason == "manifest_columns_repeated"
    (root / "manifest.jsonl").write_text('{"picture": "a.jpg", "label": "acne"}')
    assert refusal(root).reason == "several_manifests"
    assert len(usable(read_cases(root / "manifest.jsonl"))) == 1
