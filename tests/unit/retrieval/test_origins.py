"""What a declared source says about which original it is."""

import pytest

from retrieval.origins import origin_of


@pytest.mark.parametrize(
    ("source", "origin"),
    [
        ("fitzpatrick17k https://www.dermaamin.com/site/images/x-7.jpg", "dermaamin.com/site/images/x-7.jpg"),
        ("HTTP://Example.org/A.png?size=large#top", "example.org/a.png"),
        ("see https://example.org/cases/7/.", "example.org/cases/7"),
        ("ddi 000042.png", "000042"),
        (r"old\folder\IMG_7.JPEG", "img_7"),
        ("ISIC archive, ISIC_0024306", "isic_0024306"),
        ("HAM10000 ISIC_0024306", "isic_0024306"),
        ("HAM10000", ""),
        ("https://www.isic-archive.com/", ""),
        ("https://www.isic-archive.com", ""),
        ("sample corpus", ""),
        ("Fitzpatrick17k", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_the_original_is_named_by_address_file_or_identifier(source: str | None, origin: str) -> None:
    assert origin_of(source) == origin
