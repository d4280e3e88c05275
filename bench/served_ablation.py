"""The sample corpus under every arm of a served model, with a small random model that a vLLM server serves here.

    make vllm-env && python -m bench.served_ablation [OUT]

It shows that the way is whole and what it costs; what a random model answers says nothing. For a real model start it (see
`dermacite models command`) and name it: `dermacite ablate corpora/plans/sample-served.toml --set URL=... --set MODEL=...`.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.vllm.server import MODEL, ROOT, VllmServer
from tests.vllm.tiny_checkpoint import write_checkpoint

PLAN = ROOT / "corpora" / "plans" / "sample-served.toml"


def main() -> None:
    """Entry point; ends as the study does."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?", default=Path("runs/sample-served"), help="folder of the run")
    out = parser.parse_args().out
    with tempfile.TemporaryDirectory() as folder:
        server = VllmServer(write_checkpoint(Path(folder) / "checkpoint"), Path(folder) / "server.log")
        try:
            server.start()
            given = ("--set", f"URL={server.url}", "--set", f"MODEL={MODEL}", "--out", str(out), "--resume")
            done = subprocess.run([sys.executable, "-m", "runtime", "ablate", str(PLAN), *given], check=False)
        finally:
            server.stop()
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
