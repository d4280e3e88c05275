"""Builds one index generation in a process of its own: `python -m runtime.index_child HOME`, spaces as JSON on stdin.

A crash inside Chroma is then a return code, and a kill can at worst waste the build. Prints the unpublished folder.
"""

import json
import sys
from pathlib import Path

from inference.exemplars import calibrate
from knowledge.registry import Registry
from knowledge.types import DatasetState
from retrieval.index import IndexFolder, contents_of
from retrieval.leakage import GuardTable
from retrieval.twins import SketchTable
from runtime.home import Home
from runtime.truth import embeddings_of, open_server


def main() -> None:
    """Entry point of the child."""
    home = Home(Path(sys.argv[1]))
    spaces = json.load(sys.stdin)
    server = spaces.get("registry")
    registry = open_server(**server) if server else Registry.in_folder(home.registry)
    index = IndexFolder(home.indexes, spaces["fingerprints"], spaces["dimensions"], spaces.get("names", {}))
    with registry.snapshot():  # when its parent was killed, another writer may be at work
        contents = contents_of(registry, embeddings_of(home, registry), index)
        retired = registry.datasets.names(DatasetState.RETIRED)
        guards = {guard.id: guard for guard in registry.case_guards() if guard.dataset not in retired}
    # Cases of retired datasets stand in the index, and do not vote.
    rows = [guards.get(case_id) for case_id in contents.ids["cases"]]

    def finish(folder: Path) -> None:
        labels = [guard.label if guard else "" for guard in rows]
        table = GuardTable.of(rows, SketchTable.of(contents.sketches))
        calibrate(contents.matrices["pictures"], labels, table).save(folder)

    sys.stdout.write(str(index.build(contents, finish, spaces.get("chroma_url"))))


if __name__ == "__main__":
    main()
