"""Makes a collection that Dermacite reads from HAM10000 as its authors deliver it.

    python -m bench.ham10000 SOURCE TARGET

SOURCE holds metadata.csv (or HAM10000_metadata.csv; columns image_id, lesion_id, dx) and the pictures, TARGET becomes copies
of them with a manifest.csv. The pictures are not ours and not in the repository: Tschandl et al. 2018, CC BY-NC 4.0.
"""

import argparse
import csv
import shutil
from pathlib import Path

LABELS = {
    "akiec": "actinic keratosis", "bcc": "basal cell carcinoma", "bkl": "benign keratosis", "df": "dermatofibroma",
    "mel": "melanoma", "nv": "melanocytic nevi", "vasc": "vascular lesion",
}  # fmt: skip


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    given = parser.parse_args()
    (table,) = sorted(given.source.glob("*metadata.csv"))
    pictures = {file.stem: file for file in given.source.rglob("*.jpg")}
    given.target.mkdir(parents=True, exist_ok=True)
    with table.open(newline="") as opened, (given.target / "manifest.csv").open("w", newline="") as manifest:
        writer = csv.writer(manifest)
        writer.writerow(["picture", "label", "lesion", "licence", "source"])
        for row in csv.DictReader(opened):
            file = pictures[row["image_id"]]
            shutil.copyfile(file, given.target / file.name)
            writer.writerow([file.name, LABELS[row["dx"]], row["lesion_id"], "CC-BY-NC-4.0", f"HAM10000 {file.stem}"])


if __name__ == "__main__":
    main()
