"""Which lesions the sample corpus has: ten diseases, all six tones, some lesions seen twice, some people twice."""

from dataclasses import dataclass

from drawing.acne import Acne
from drawing.basal_cell import BasalCell
from drawing.bodies import Body
from drawing.form import Form
from drawing.lichen_planus import LichenPlanus
from drawing.lupus import ButterflyLupus, DiscoidLupus
from drawing.nevus import Nevus
from drawing.photodermatosis import Edge, Photodermatosis
from drawing.psoriasis import Psoriasis
from drawing.sarcoidosis import Sarcoidosis
from drawing.scc_in_situ import SccInSitu
from drawing.scleroderma import Scleroderma

INFLAMMATORY = "1. Inflammatory & Autoimmune Diseases"
BENIGN = "2. Benign Tumors, Nevi & Cysts"
MALIGNANT = "3. Malignant Skin Tumors"
FOLLICULAR = "4. Acne & Follicular Disorders"

GROUPS: dict[str, str] = {
    "psoriasis": INFLAMMATORY,
    "lupus erythematosus": INFLAMMATORY,
    "lichen planus": INFLAMMATORY,
    "scleroderma": INFLAMMATORY,
    "photodermatoses": INFLAMMATORY,
    "sarcoidosis": INFLAMMATORY,
    "melanocytic nevi": BENIGN,
    "squamous cell carcinoma in situ": MALIGNANT,
    "basal cell carcinoma": MALIGNANT,
    "acne vulgaris": FOLLICULAR,
}

LIMB, FACE = Body.LIMB, Body.FACE


@dataclass(frozen=True, slots=True)
class Lesion:
    """One lesion of one person. `views` is how many pictures it gets; `again` marks the person of the lesion before."""

    form: Form
    views: int = 1
    again: bool = False

    @property
    def label(self) -> str:
        """The name of the disease."""
        return self.form.label


_PSORIASIS = (
    Lesion(Psoriasis(tone=1, site="elbow", body=LIMB, count=1, size=0.5, scale=0.8), 2),
    Lesion(Psoriasis(tone=1, site="knee", count=1, size=0.62, scale=0.45), again=True),
    Lesion(Psoriasis(tone=2, site="back", count=4, size=0.28, scale=0.5)),
    Lesion(Psoriasis(tone=3, site="shin", body=LIMB, hairs=30, count=3, size=0.26, scale=0.6)),
    Lesion(Psoriasis(tone=4, site="abdomen", count=9, size=0.17, scale=0.45)),
    Lesion(Psoriasis(tone=5, site="lower back", count=2, size=0.42, scale=0.7), 2),
    Lesion(Psoriasis(tone=6, site="forearm", body=LIMB, hairs=12, count=2, size=0.33, scale=0.55)),
)
_LUPUS = (
    Lesion(ButterflyLupus(tone=1, site="face", body=FACE, hairs=0, strength=0.7, extent=0.6), 2),
    Lesion(ButterflyLupus(tone=3, site="face", body=FACE, hairs=0, strength=0.9, extent=1.0)),
    Lesion(ButterflyLupus(tone=5, site="face", body=FACE, hairs=0, strength=1.0, extent=0.4)),
    Lesion(DiscoidLupus(tone=2, site="cheek", hairs=0, count=1, size=0.55, plugs=True)),
    Lesion(DiscoidLupus(tone=4, site="forehead", hairs=0, count=2, size=0.36, plugs=False)),
    Lesion(DiscoidLupus(tone=6, site="cheek", hairs=0, count=1, size=0.48, plugs=True)),
    Lesion(DiscoidLupus(tone=6, site="upper arm", count=3, size=0.27, plugs=False), again=True),
)
_LICHEN_PLANUS = (
    Lesion(LichenPlanus(tone=1, site="wrist", body=LIMB, hairs=8, count=14, size=0.14, clustered=True)),
    Lesion(LichenPlanus(tone=2, site="lower back", count=20, size=0.13, clustered=False), 2),
    Lesion(LichenPlanus(tone=3, site="ankle", count=11, size=0.16, clustered=True)),
    Lesion(LichenPlanus(tone=3, site="shin", hairs=24, count=12, size=0.18, clustered=False), again=True),
    Lesion(LichenPlanus(tone=4, site="forearm", body=LIMB, hairs=18, count=10, size=0.13, clustered=False)),
    Lesion(LichenPlanus(tone=5, site="wrist", hairs=6, count=9, size=0.2, clustered=True)),
    Lesion(LichenPlanus(tone=6, site="abdomen", count=26, size=0.12, clustered=False)),
)
_SCLERODERMA = (
    Lesion(Scleroderma(tone=1, site="abdomen", count=1, length=0.62, width=0.45, lilac=0.9)),
    Lesion(Scleroderma(tone=2, site="thigh", body=LIMB, count=1, length=1.0, width=0.22, lilac=0.5), 2),
    Lesion(Scleroderma(tone=3, site="chest", count=3, length=0.32, width=0.24, lilac=0.8)),
    Lesion(Scleroderma(tone=4, site="back", count=1, length=0.72, width=0.5, lilac=0.7)),
    Lesion(Scleroderma(tone=5, site="forehead", hairs=0, count=1, length=0.95, width=0.2, lilac=0.6)),
    Lesion(Scleroderma(tone=5, site="flank", count=2, length=0.38, width=0.28, lilac=0.8), again=True),
    Lesion(Scleroderma(tone=6, site="lower leg", body=LIMB, count=1, length=0.55, width=0.4, lilac=1.0)),
)
_PHOTO = (
    Lesion(Photodermatosis(tone=1, site="chest", edge=Edge.COLLAR, papules=30, strength=0.8), 2),
    Lesion(
        Photodermatosis(tone=2, site="upper arm", body=LIMB, hairs=14, edge=Edge.SLEEVE, papules=20, strength=0.7),
    ),
    Lesion(Photodermatosis(tone=3, site="back of the foot", edge=Edge.STRAP, papules=0, strength=0.9)),
    Lesion(Photodermatosis(tone=3, site="nape", edge=Edge.SLEEVE, papules=60, strength=0.5, offset=-0.3)),
    Lesion(Photodermatosis(tone=4, site="neckline", edge=Edge.COLLAR, papules=70, strength=0.8, offset=0.3)),
    Lesion(
        Photodermatosis(
            tone=5, site="wrist", body=LIMB, hairs=10, edge=Edge.STRAP, papules=26, strength=0.9, offset=0.15
        ),
        2,
    ),
    Lesion(Photodermatosis(tone=6, site="forearm", edge=Edge.SLEEVE, papules=45, strength=1.0, offset=0.2)),
)
_SARCOIDOSIS = (
    Lesion(Sarcoidosis(tone=1, site="cheek", hairs=0, count=5, size=0.15, annular=False)),
    Lesion(Sarcoidosis(tone=2, site="upper arm", count=13, size=0.13, annular=True), 2),
    Lesion(Sarcoidosis(tone=3, site="back", count=8, size=0.13, annular=False)),
    Lesion(Sarcoidosis(tone=4, site="shoulder", count=3, size=0.24, annular=False)),
    Lesion(Sarcoidosis(tone=5, site="forehead", hairs=0, count=10, size=0.15, annular=True)),
    Lesion(Sarcoidosis(tone=6, site="neck", count=11, size=0.11, annular=False), 2),
    Lesion(Sarcoidosis(tone=6, site="forearm", body=LIMB, count=4, size=0.17, annular=False), again=True),
)
_NEVI = (
    Lesion(Nevus(tone=1, site="back", count=1, size=0.26, rise=0.0, black=0.2)),
    Lesion(Nevus(tone=2, site="shoulder", count=1, size=0.2, rise=0.8, black=0.5), 2),
    Lesion(Nevus(tone=2, site="abdomen", count=4, size=0.11, rise=0.3, black=0.4), again=True),
    Lesion(Nevus(tone=3, site="forearm", body=LIMB, hairs=24, count=1, size=0.17, rise=0.4, black=0.7)),
    Lesion(Nevus(tone=4, site="cheek", hairs=0, count=1, size=0.3, rise=1.0, black=0.5)),
    Lesion(Nevus(tone=5, site="chest", hairs=10, count=3, size=0.13, rise=0.5, black=0.8)),
    Lesion(Nevus(tone=6, site="palm edge", hairs=0, count=1, size=0.2, rise=0.1, black=1.0)),
)
_SCC = (
    Lesion(SccInSitu(tone=1, site="lower leg", body=LIMB, size=0.4, crust=0.4), 2),
    Lesion(SccInSitu(tone=2, site="temple", hairs=0, size=0.36, crust=0.7)),
    Lesion(SccInSitu(tone=2, site="back of the hand", size=0.5, crust=0.3), again=True),
    Lesion(SccInSitu(tone=3, site="scalp", hairs=14, size=0.45, crust=0.9), 2),
    Lesion(SccInSitu(tone=4, site="forearm", body=LIMB, hairs=16, size=0.34, crust=0.5)),
    Lesion(SccInSitu(tone=5, site="neck", size=0.42, crust=0.6)),
    Lesion(SccInSitu(tone=6, site="shin", size=0.38, crust=0.8)),
)
_BCC = (
    Lesion(BasalCell(tone=1, site="nose", hairs=0, size=0.38, ulcer=False, specks=False)),
    Lesion(BasalCell(tone=1, site="temple", hairs=0, size=0.5, ulcer=True, specks=False), again=True),
    Lesion(BasalCell(tone=2, site="cheek", hairs=0, size=0.45, ulcer=False, specks=False), 2),
    Lesion(BasalCell(tone=3, site="forehead", hairs=0, size=0.55, ulcer=True, specks=False)),
    Lesion(BasalCell(tone=4, site="upper lip", hairs=6, size=0.34, ulcer=False, specks=True)),
    Lesion(BasalCell(tone=5, site="eyelid margin", hairs=0, size=0.46, ulcer=True, specks=True)),
    Lesion(BasalCell(tone=6, site="cheek", hairs=0, size=0.4, ulcer=False, specks=True)),
)
_ACNE = (
    Lesion(Acne(tone=1, site="cheek", hairs=0, comedones=20, papules=16, pustules=10), 2),
    Lesion(Acne(tone=2, site="forehead", hairs=0, comedones=60, papules=8, pustules=1)),
    Lesion(Acne(tone=3, site="back", comedones=24, papules=22, pustules=9)),
    Lesion(Acne(tone=3, site="chin", hairs=0, comedones=30, papules=9, pustules=6), again=True),
    Lesion(Acne(tone=4, site="chest", hairs=6, comedones=40, papules=12, pustules=4)),
    Lesion(Acne(tone=5, site="cheek", hairs=0, comedones=26, papules=20, pustules=12)),
    Lesion(Acne(tone=6, site="jaw", hairs=0, comedones=30, papules=14, pustules=8), 2),
)

LESIONS: tuple[Lesion, ...] = (
    *_PSORIASIS, *_LUPUS, *_LICHEN_PLANUS, *_SCLERODERMA, *_PHOTO,
    *_SARCOIDOSIS, *_NEVI, *_SCC, *_BCC, *_ACNE,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A picture to consult about: never a reference. `note` and the rest are what a caller would send."""

    lesion: Lesion
    note: str
    age: int
    sex: str
    body_site: str


HELD_OUT: tuple[HeldOut, ...] = (
    HeldOut(
        Lesion(Psoriasis(tone=2, site="knee", count=3, size=0.34, scale=0.7)),
        "Red raised patches with white flakes on my knee for eight months. They itch a little and bleed in small "
        "points when I pick the flakes off. My father has something similar on his elbows.",
        41, "male", "knee",
    ),
    HeldOut(
        Lesion(Nevus(tone=3, site="upper back", count=1, size=0.22, rise=0.5, black=0.55)),
        "Round brown spot on the upper back, there since my teens, no change in size or colour, does not itch or "
        "bleed. My partner asked me to have it looked at.",
        29, "female", "upper back",
    ),
    HeldOut(
        Lesion(Acne(tone=4, site="cheek", hairs=0, comedones=30, papules=15, pustules=8)),
        "Blackheads, red bumps and some with a yellow head on both cheeks for a year, worse before the period. Skin is "
        "greasy. A drugstore wash did not help.",
        17, "female", "cheek",
    ),
    HeldOut(
        Lesion(BasalCell(tone=2, site="side of the nose", hairs=0, size=0.47, ulcer=True, specks=False)),
        "Shiny lump beside the nose that has grown slowly over a year. Small vessels are visible on it and the middle "
        "scabs, bleeds now and then and does not heal.",
        72, "male", "side of the nose",
    ),
)  # fmt: skip
