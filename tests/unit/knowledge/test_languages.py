"""Which language a text is found to be written in."""

import pytest

from knowledge.languages import LEAST, SAMPLE, language_of

TEXTS = {
    "en": "Topical corticosteroids are the first choice for limited plaque psoriasis. Apply once a day for four weeks. ",
    "de": "Topische Glukokortikoide sind bei begrenzter Plaque-Psoriasis die erste Wahl. Einmal täglich auftragen. ",
    "fr": "Les dermocorticoïdes sont le traitement de première intention du psoriasis en plaques limité de l'adulte. ",
    "es": "Los corticoides tópicos son el tratamiento de elección de la psoriasis en placas limitada del adulto. ",
    "pt": "Os corticosteroides tópicos são a primeira escolha para a psoríase em placas limitada. Aplicar uma vez ao dia. ",
    "ar": "الستيرويدات الموضعية هي الخيار الأول لعلاج الصدفية اللويحية المحدودة، وتوضع مرة واحدة يوميا لمدة أربعة أسابيع. ",
    "zh": "外用糖皮质激素是局限性斑块状银屑病的首选治疗，每日一次，连续使用四周，随后逐渐减少用药频率。",
}


@pytest.mark.parametrize("language", TEXTS)
def test_a_page_says_its_language(language: str) -> None:
    assert language_of(TEXTS[language] * 8) == language


@pytest.mark.parametrize(
    "text", ["", "Psoriasis", "0.05 % 12 mg/kg 1:1000 " * 200, "x" * (LEAST - 1), "Ψ ξ " * 3, "\x00\x01" * 500]
)
def test_what_says_too_little_has_no_language(text: str) -> None:
    assert language_of(text) is None


def test_a_book_takes_no_longer_than_its_beginning() -> None:
    assert language_of(TEXTS["en"] * SAMPLE) == "en"
