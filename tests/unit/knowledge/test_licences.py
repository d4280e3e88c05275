"""Which licence allows what, however it is written; and what is left of a case whose licence forbids showing it."""

from dataclasses import asdict

import pytest

from knowledge.licences import UNKNOWN, may_show, shown, terms_of
from tests.fakes import case_of


@pytest.mark.parametrize(
    ("licence", "show", "attribution", "non_commercial"),
    [
        ("CC0-1.0", True, False, False),
        ("cc0 1.0", True, False, False),
        ("CC-BY-4.0", True, True, False),
        ("CC BY-SA 4.0", True, True, False),
        ("CC_BY_NC_4.0", True, True, True),
        ("CC-BY-NC-SA-4.0", True, True, True),
        ("https://creativecommons.org/licenses/by/4.0/", True, True, False),
        ("https://creativecommons.org/licenses/by-nc/4.0/", True, True, True),
        ("https://creativecommons.org/publicdomain/zero/1.0/", True, False, False),
        ("All rights reserved", False, True, True),
        ("all  rights reserved, A Clinic", False, True, True),
        ("© 2020 A Clinic", False, True, True),
        ("LicenseRef-no-display", False, False, False),
        (" licenseref-no-display ", False, False, False),
    ],
)
def test_licences_are_known_by_name(licence: str, show: bool, attribution: bool, non_commercial: bool) -> None:
    terms = terms_of(licence)
    assert (terms.known, terms.keep) == (True, True)
    assert (terms.show, terms.attribution, terms.non_commercial) == (show, attribution, non_commercial)


@pytest.mark.parametrize("licence", [None, "", "unknown", "see the paper", "my-cc-by", "x © y"])
def test_other_licences_are_unknown_and_shown_to_whoever_obtained_them(licence: str | None) -> None:
    assert terms_of(licence) == UNKNOWN
    assert may_show(licence)


def test_what_may_not_be_kept_may_not_be_shown() -> None:
    terms = terms_of("LicenseRef-no-storage")
    assert (terms.keep, terms.show, terms.known) == (False, False, True)


def test_of_a_case_that_may_not_be_shown_only_id_label_dataset_and_licence_are_left() -> None:
    hidden = case_of(
        "a", caption="a caption", licence="LicenseRef-no-display", subject="s", lesion="l", split="train", skin_tone="3",
        source="https://a.org/1.jpg", group="g", label_raw="Psoriasis",
    )  # fmt: skip
    told = {name: value for name, value in asdict(shown(hidden)).items() if value}
    assert told == {"id": "c-a", "dataset": "set", "label": "psoriasis", "licence": "LicenseRef-no-display"}
    free = case_of("b", caption="a caption", licence="CC0-1.0")
    assert shown(free) is free
