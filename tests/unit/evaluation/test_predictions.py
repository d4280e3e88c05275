"""Predictions made elsewhere become records, or a line is named."""

import json
from pathlib import Path

import pytest

from evaluation.errors import PredictionsRefused
from evaluation.predictions import read_predictions
from evaluation.records import Result

CSV = """case,label,prediction,probabilities,caption,reference,result,reason,model
1,Psoriasis,psoriasis,"{""psoriasis"": 0.7, ""eczema"": 0.2}",a plaque,a scaly plaque,,,x
2,lichen-planus,Lichen Planus,,,,,,x
3,acne,rosacea,,,,,,x
4,acne,,,,,,,x
5,acne,acne,,,,abstained,undecided,x
6,acne,,,,,failed,engine_timed_out,x
"""


def read(folder: Path, text: str, name: str = "p.csv") -> list[object]:
    (folder / name).write_text(text, "utf-8")
    return list(read_predictions(folder / name))


def test_five_results_are_five_different_things(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(CSV, "utf-8-sig")
    records = read_predictions(tmp_path / "p.csv")
    assert [one.result for one in records] == [
        Result.CORRECT, Result.CORRECT, Result.WRONG, Result.UNPARSED, Result.ABSTAINED, Result.FAILED,
    ]  # fmt: skip
    assert [one.first for one in records] == ["psoriasis", "lichen planus", "rosacea", None, "acne", None]
    assert records[0].probabilities == (("psoriasis", 0.7), ("eczema", 0.2))
    assert (records[0].caption, records[0].reference_caption) == ("a plaque", "a scaly plaque")
    assert (records[4].reason, records[4].arm, records[4].seed) == ("undecided", "predictions", 0)


def test_json_lines_say_the_same(tmp_path: Path) -> None:
    lines = [{"case": 1, "label": "psoriasis", "prediction": "psoriasis", "probabilities": {"psoriasis": 1}, "arm": "a"},
             {"case": 1, "label": "psoriasis", "prediction": None, "arm": "b", "seed": 2}]  # fmt: skip
    (tmp_path / "p.jsonl").write_text("\n".join(map(json.dumps, lines)))
    first, second = read_predictions(tmp_path / "p.jsonl")
    assert (first.key, first.result, first.probabilities) == (("a", "1", 0), Result.CORRECT, (("psoriasis", 1.0),))
    assert (second.key, second.result) == (("b", "1", 2), Result.UNPARSED)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("1,,acne,,", "line 2: label is empty"),
        (",acne,acne,,", "line 2: case is empty"),
        ("1,acne,acne,{,", "line 2: probabilities is not a JSON object"),
        ("1,acne,acne,[1],", "line 2: probabilities is not an object"),
        ('1,acne,acne,"{""acne"": 2}",', "line 2: the probability of 'acne' is no number from 0 to 1"),
        ('1,acne,acne,"{""acne"": 0.9, ""wart"": 0.9}",', "add up to 1.8"),
        ('1,acne,acne,"{""acne"": 0.1, ""wart"": 0.9}",', "not the most probable label, which is 'wart'"),
        ("1,acne,acne,,right", "result is 'right'; permitted: abstained, failed, unparsed"),
        ("1,acne,acne,,,,", "line 2: has 7 cells, the header 5"),
        ("1,acne,acne,,\n2,acne,acne,,\n1,acne,wart,,", "line 4: the case was predicted in line 2 already"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, row: str, said: str) -> None:
    with pytest.raises(PredictionsRefused) as refused:
        read(tmp_path, f"case,label,prediction,probabilities,result\n{row}\n")
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("p.csv", "", "line 1: there is no column case"),
        ("p.csv", "case,label,prediction\n", "has no prediction"),
        ("p.csv", 'case,label,prediction\n1,"acne,acne\n', "not valid CSV"),
        ("p.jsonl", "{\n", "line 1: is not valid JSON"),
        ("p.jsonl", "[]\n", "line 1: is not a JSON object"),
        ("p.jsonl", '\n{"case": "1", "label": "acne"}\n', "line 2: prediction is missing"),
        (
            "p.jsonl",
            '{"case": [1], "label": "acne", "prediction": "acne"}\n',
            "line 1: case is neither text nor a number",
        ),
    ],
)
def test_a_file_that_is_none_is_told_what_is_needed(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(PredictionsRefused) as refused:
        read(tmp_path, text, name)
    assert said in str(refused.value)
