"""A real vLLM server in an environment of its own, as `make vllm-env` makes it."""

import base64
import io
import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import httpx
from PIL import Image

ROOT = Path(__file__).parents[2]
PYTHON = Path(os.environ.get("VLLM_TEST_PYTHON", ROOT / ".venv-vllm" / "bin" / "python"))
MODEL = "tiny"
CONTEXT = 4096  # tokens
PICTURES = 4  # a prompt
START = 400.0  # s; 60 on two idle cores, and other tests run beside it


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class VllmServer:
    """One server on a port of its own, which it keeps when it is started again."""

    checkpoint: Path
    log: Path
    port: int = field(default_factory=_free_port)
    process: subprocess.Popen[bytes] | None = None
    # One for all questions: making a client reads every certificate of the machine, a core's work for 20 ms.
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=START))

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.root}/v1"

    def start(self) -> None:
        """Return when it has generated something; its health page is green before that is possible."""
        assert PYTHON.exists(), f"no environment for vLLM at {PYTHON}: make vllm-env"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(PYTHON), "-m", "vllm.entrypoints.openai.api_server", *self._arguments()],
                cwd=self.checkpoint.parent,  # not the checkout, whose packages would shadow installed ones
                env=_environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
                # The engine runs in child processes: they are stopped as one group. Not a session of its own, which Linux
                # schedules as a whole (sched_autogroup): on two cores that kept its caller from running for seconds.
                process_group=0,
            )
        deadline = time.monotonic() + START
        while not self._generates():
            assert self.process.poll() is None, self._tail()
            assert time.monotonic() < deadline, self._tail()
            time.sleep(0.2)

    def kill(self) -> None:
        """End every process of it at once, without a chance to tidy up."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(30)

    def stop(self) -> None:
        """End it and its children for good: asked first, killed when it does not go."""
        self.client.close()
        if self.process is not None:
            with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(self.process.pid, signal.SIGTERM)
                self.process.wait(15)
            self.kill()

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric over all its lines that carry these labels."""
        lines = [
            line for line in self.client.get(f"{self.root}/metrics").text.splitlines() if line.startswith(name + "{")
        ]
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if all(pair in line for pair in wanted))

    def _generates(self) -> bool:
        """Whether it answers about a picture within a choice: what the first such question loads takes it many seconds."""
        picture = {"type": "image_url", "image_url": {"url": _picture()}}
        body = {
            "model": MODEL,
            "messages": [{"role": "user", "content": [picture, {"type": "text", "text": "Yes?"}]}],
            "max_completion_tokens": 1,
            "structured_outputs": {"choice": ["yes"]},
        }
        try:
            return self.client.post(f"{self.url}/chat/completions", json=body).status_code == 200
        except httpx.TransportError:
            return False

    def _arguments(self) -> list[str]:
        return [
            *("--model", str(self.checkpoint), "--served-model-name", MODEL, "--dtype", "float32"),
            *("--host", "127.0.0.1", "--port", str(self.port)),
            *("--max-model-len", str(CONTEXT), "--max-num-seqs", "16"),
            *(
                "--limit-mm-per-prompt",
                f'{{"image": {PICTURES}, "video": 0}}',
                "--allowed-media-domains",
                "none.invalid",
            ),
            *("--structured-outputs-config", '{"backend": "xgrammar", "disable_any_whitespace": true}'),
            *("--generation-config", "vllm", "--enable-prompt-tokens-details", "--enforce-eager"),
            # The model runs in the engine's process: one process less that imports torch for as long as all tests of a minute.
            *("--distributed-executor-backend", "uni"),
        ]

    def _tail(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]


@cache
def _picture() -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), "grey").save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _environment() -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    ours = {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    # So that the model may run in the engine's process; and one thread is enough for 3 MB of weights.
    alone = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1"}
    return inherited | ours | alone
