"""Which replica a request goes to: affinity, a bound on how uneven it gets, and what a lost or added replica moves."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.engines.choosing import chosen

NAMES = st.text(min_size=1, max_size=20)
LOADS = st.dictionaries(NAMES, st.integers(0, 40), min_size=1, max_size=8)
KEYS = st.binary(min_size=16, max_size=16)
SLACK = st.integers(0, 8)


@given(KEYS, LOADS, SLACK)
def test_nobody_is_chosen_who_is_busier_than_the_slack_allows(key: bytes, loads: dict[str, int], slack: int) -> None:
    assert loads[chosen(key, loads, slack)] <= min(loads.values()) + slack


@given(KEYS, LOADS, SLACK, st.randoms(use_true_random=False))
def test_the_choice_depends_on_names_and_loads_alone(
    key: bytes, loads: dict[str, int], slack: int, chance: Random
) -> None:
    shuffled = list(loads.items())
    chance.shuffle(shuffled)
    assert chosen(key, dict(shuffled), slack) == chosen(key, loads, slack)


@given(KEYS, st.sets(NAMES, min_size=1, max_size=8), SLACK, st.data())
def test_a_prompt_stays_where_it_was_while_loads_are_near(
    key: bytes, names: set[str], slack: int, data: st.DataObject
) -> None:
    idle = chosen(key, dict.fromkeys(names, 0), slack)
    loads = {name: data.draw(st.integers(0, slack)) for name in sorted(names)}
    assert chosen(key, loads, slack) == idle


@given(KEYS, LOADS, SLACK)
def test_the_least_busy_is_taken_where_no_slack_is_given(key: bytes, loads: dict[str, int], slack: int) -> None:
    assert loads[chosen(key, loads, 0)] == min(loads.values()) <= loads[chosen(key, loads, slack)]


@given(st.lists(KEYS, min_size=1, max_size=40), st.sets(NAMES, min_size=2, max_size=8), st.data())
def test_a_lost_replica_moves_only_its_own_share_and_an_added_one_only_takes(
    keys: list[bytes], names: set[str], data: st.DataObject
) -> None:
    lost = data.draw(st.sampled_from(sorted(names)))
    whole, left = dict.fromkeys(names, 0), dict.fromkeys(names - {lost}, 0)
    for key in keys:
        before, after = chosen(key, whole, 4), chosen(key, left, 4)
        assert after == before or before == lost


@given(st.lists(KEYS, max_size=200), st.sets(NAMES, min_size=1, max_size=6), SLACK)
def test_however_one_sided_the_prompts_loads_stay_near(keys: list[bytes], names: set[str], slack: int) -> None:
    loads = dict.fromkeys(sorted(names), 0)
    for key in keys:
        loads[chosen(key[:1] or b"\0", loads, slack)] += 1
        assert max(loads.values()) <= min(loads.values()) + slack + 1


def test_keys_are_spread_evenly() -> None:
    names = dict.fromkeys(("a:8001", "a:8002", "b:8001", "b:8002"), 0)
    counts = Counter(chosen(number.to_bytes(16), names, 4) for number in range(4_000))
    # 1,000 each; the standard deviation is about 27
    assert all(850 < count < 1_150 for count in counts.values()), counts
    assert len(counts) == 4


def test_without_replicas_there_is_nothing_to_choose() -> None:
    with pytest.raises(ValueError, match="nothing to choose"):
        chosen(b"key", {}, 4)
