"""The home folder and its one writer."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import runtime
from runtime.errors import RuntimeRefused, WriterBusy
from runtime.home import Home

PROJECT = Path(runtime.__file__).parent.parent
HOLD = """
import sys, time
from pathlib import Path
from runtime.home import Home
with Home(Path(sys.argv[1])).writing():
    print("holding", flush=True)
    time.sleep(600)
"""


@contextmanager
def another_process_writing(home: Home) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLD, str(home.root)]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "holding\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "deep" / "home")
    made.prepare()
    return made


def test_everything_lies_below_the_root(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.registry == tmp_path
    assert {path.parent for path in (home.blobs, home.embeddings, home.indexes)} == {tmp_path}


def test_preparing_makes_the_folder_and_again_is_a_no_op(home: Home) -> None:
    home.prepare()
    assert home.root.is_dir()


def test_a_home_that_is_a_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for root in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(RuntimeRefused, match="dermacite --home DIR"):
            Home(root).prepare()


def test_writing_to_a_folder_that_is_gone_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RuntimeRefused, match="cannot be written"), Home(tmp_path / "file").writing():
        pass


def test_only_one_of_many_threads_writes_at_a_time(home: Home) -> None:
    inside, most = 0, 0
    counted = threading.Lock()

    def write() -> None:
        nonlocal inside, most
        for _ in range(5):
            with home.writing():
                with counted:
                    inside += 1
                    most = max(most, inside)
                with counted:
                    inside -= 1

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, inside) == (1, 0)


def test_a_thread_that_waits_says_so_once_and_goes_on_when_the_other_is_done(home: Home) -> None:
    told: list[str] = []
    waiting, wrote = threading.Event(), threading.Event()

    def tell() -> None:
        told.append("waiting")
        waiting.set()

    def write() -> None:
        with home.writing(tell):
            wrote.set()

    with home.writing():
        thread = threading.Thread(target=write)
        thread.start()
        assert waiting.wait(30)
        assert not wrote.is_set()
    thread.join(30)
    assert wrote.is_set()
    assert told == ["waiting"]


def test_nobody_is_told_to_wait_when_nobody_writes(home: Home) -> None:
    with home.writing(lambda: pytest.fail("nobody else writes")):
        pass


def test_another_process_excludes_us_and_the_wait_has_an_end(home: Home) -> None:
    with another_process_writing(home), pytest.raises(WriterBusy), home.writing(patience_s=0.2):
        pass


def test_a_kill_frees_the_lock(home: Home) -> None:
    with another_process_writing(home) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        with home.writing(lambda: pytest.fail("the lock outlived its process")):
            pass


def test_the_lock_is_freed_when_the_work_fails(home: Home) -> None:
    with pytest.raises(ZeroDivisionError), home.writing():
        raise ZeroDivisionError
    with home.writing(lambda: pytest.fail("the lock was kept")):
        pass
