"""A PDF's passages as LangChain's tutorials make them: PyPDFLoader and RecursiveCharacterTextSplitter(1000, 200).

    .venv-peers/bin/python bench/paper_peer.py FILE...

Prints one JSON object a passage: {"file", "page" (from 1), "text"}. Imports nothing of ours.
"""

import json
import sys
import warnings
from pathlib import Path


def main() -> None:
    """Entry point."""
    warnings.simplefilter("ignore", DeprecationWarning)
    from langchain_community.document_loaders import PyPDFLoader
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    splitter = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=200)
    for file in sys.argv[1:]:
        for passage in splitter.split_documents(PyPDFLoader(file).load()):
            found = {"file": Path(file).name, "page": passage.metadata["page"] + 1, "text": passage.page_content}
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
