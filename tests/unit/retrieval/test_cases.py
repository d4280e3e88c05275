from tests.fakes import X


def test_x() -> None:
    assert X == 1
