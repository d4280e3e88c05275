"""The sample guideline on psoriasis."""

from writing.blocks import Bullets, Guideline, Heading, Table, Text

_RECOGNITION = (
    Heading("Recognition"),
    Text(
        "Psoriasis is a chronic, relapsing, immune-mediated inflammatory disease of the skin that affects about 2 "
        "to 3 % of people in Europe and North America. Chronic plaque psoriasis is the commonest form and makes up "
        "about 90 % of cases."
    ),
    Heading("Morphology", 2),
    Text(
        "The typical lesion of plaque psoriasis is a sharply demarcated, raised, red plaque covered by "
        "silvery-white scale. On brown and black skin psoriasis plaques look violet, dark brown or grey rather than "
        "red, and the scale looks grey. Removing the scale of a psoriasis plaque leaves small points of bleeding, "
        "which is called the Auspitz sign. New psoriasis lesions may appear along scratches and scars, which is "
        "called the Koebner phenomenon."
    ),
    Bullets(
        (
            "Plaque psoriasis favours elbows, knees, shins, scalp and the lower back, usually on both sides of the "
            "body.",
            "Guttate psoriasis shows many drop-like scaly papules on the trunk, often 1 to 3 weeks after a "
            "streptococcal sore throat.",
            "Flexural psoriasis forms smooth, shiny, red patches in skin folds with little or no scale.",
            "Nail psoriasis shows pits, yellow-brown oil-drop spots, lifting of the nail plate and thick nails.",
            "Generalised pustular psoriasis and erythrodermic psoriasis are emergencies.",
        )
    ),
    Heading("What to ask", 2),
    Text(
        "Ask every person with psoriasis about joint pain, swelling and morning stiffness, because psoriatic "
        "arthritis develops in up to 30 % of them. A score of ≥ 3 on the PEST questionnaire suggests psoriatic "
        "arthritis and calls for a rheumatology opinion. Ask about triggers such as infection, smoking, alcohol, "
        "stress, lithium, beta blockers and antimalarial drugs. Psoriasis is associated with obesity, diabetes, "
        "cardiovascular disease and depression."
    ),
)
_DIFFERENTIAL = (
    Heading("Differential diagnosis"),
    Text(
        "Psoriasis is diagnosed by its appearance. A biopsy is useful when a plaque is single, grows steadily or does "
        "not respond to treatment."
    ),
    Bullets(
        (
            "Lichen planus forms flat-topped, polygonal, violaceous papules with fine white lines called Wickham "
            "striae, and it lacks the thick silvery scale of psoriasis.",
            "Discoid lupus erythematosus forms round red plaques with a pale atrophic centre, adherent scale and "
            "follicular plugs, mostly on the face, ears and scalp.",
            "Squamous cell carcinoma in situ (Bowen disease) is a single, irregular, slowly growing scaly red "
            "plaque and is easily mistaken for one plaque of psoriasis.",
            "Photodermatoses are confined to sun-exposed skin and stop sharply at the edge of clothing, whereas "
            "psoriasis usually improves in sunlight.",
            "Sarcoidosis forms smooth red-brown papules or annular plaques without silvery scale; pressing a glass "
            "slide on them shows an apple-jelly colour.",
            "Scleroderma of the localised type (morphea) forms hardened, shiny, ivory-coloured patches with a lilac "
            "border and shows no scale.",
            "Tinea corporis is annular with a scaly advancing edge, and microscopy of scrapings shows fungal hyphae.",
        )
    ),
)
_SEVERITY = (
    Heading("Severity"),
    Text(
        "Record the body surface area (BSA), the Psoriasis Area and Severity Index (PASI, 0 to 72) and the "
        "Dermatology Life Quality Index (DLQI, 0 to 30) before treatment. The palm of the patient's hand with the "
        "fingers stands for about 1 % of the body surface area. Psoriasis of the face, scalp, nails, palms, soles "
        "or genitals can be severe in its effect even when the body surface area is small."
    ),
    Table(
        "Table 1. Grades of severity used in this sample",
        ("Grade", "BSA", "PASI", "DLQI", "Usual setting"),
        (
            ("Mild", "< 10 %", "< 10", "≤ 10", "Topical treatment"),
            ("Moderate to severe", "≥ 10 %", "≥ 10", "> 10", "Phototherapy or systemic treatment"),
            ("Emergency", "> 90 % (erythroderma)", "any", "any", "Same-day hospital assessment"),
        ),
        (0.22, 0.25, 0.11, 0.11, 0.31),
    ),
)
_TOPICAL = (
    Heading("Treatment"),
    Heading("Topical treatment", 2),
    Text(
        "Offer an emollient to everyone with psoriasis. For the trunk and limbs of adults start with a potent "
        "corticosteroid once daily and a vitamin D analogue once daily, applied at different times of the day, for "
        "up to 4 weeks. A potent corticosteroid should not be used on the same site for more than 8 weeks without a "
        "break, and a very potent corticosteroid for not more than 4 weeks. Leave about 4 weeks between courses of "
        "potent or very potent corticosteroids. On the face, flexures and genitals use a mild or moderate "
        "corticosteroid for at most 2 weeks."
    ),
    Table(
        "Table 2. Topical medicines for adults",
        ("Medicine", "Strength", "Use", "Limit"),
        (
            ("Betamethasone dipropionate", "0.05 %", "once daily, trunk and limbs", "8 weeks at one site"),
            ("Clobetasol propionate", "0.05 %", "once or twice daily, thick plaques", "4 weeks, 50 g a week"),
            ("Hydrocortisone", "1 %", "once daily, face and flexures", "2 weeks"),
            ("Calcipotriol", "50 µg/g", "once or twice daily", "100 g a week"),
            ("Calcipotriol with betamethasone", "50 µg/g and 0.5 mg/g", "once daily", "4 weeks"),
            ("Tacrolimus (off label)", "0.1 %", "twice daily, face and flexures", "4 weeks, then review"),
            ("Coal tar", "1 to 5 %", "once or twice daily", "not on inflamed skin"),
            ("Salicylic acid", "2 to 5 %", "to lift thick scale", "not over large areas"),
        ),
        (0.3, 0.23, 0.27, 0.2),
    ),
)
_SYSTEMIC = (
    Heading("Phototherapy", 2),
    Text(
        "Narrowband UVB phototherapy (311 to 313 nm) is given 2 or 3 times a week when topical treatment fails or more "
        "than 10 % of the body surface is affected. PUVA combines oral 8-methoxypsoralen 0.6 mg/kg with UVA 2 hours "
        "later. The number of PUVA sessions in a lifetime should stay below 150 because the risk of skin cancer rises "
        "with the dose. PUVA must not be combined with ciclosporin."
    ),
    Heading("Systemic treatment", 2),
    Text(
        "Systemic treatment is considered when PASI is ≥ 10 or BSA is ≥ 10 %, when DLQI is > 10, or when special sites "
        "are affected and topical treatment has failed. Methotrexate for psoriasis is taken once a week, never daily; "
        "state the day of the week on the prescription. Folic acid 5 mg once weekly on another day lowers the side "
        "effects of methotrexate."
    ),
    Table(
        "Table 3. Systemic medicines for adults",
        ("Medicine", "Dose", "Watch"),
        (
            ("Methotrexate", "5 to 10 mg once weekly, up to 25 mg", "blood count, liver, kidney; not in pregnancy"),
            ("Ciclosporin", "2.5 to 5 mg/kg daily", "blood pressure, creatinine"),
            ("Acitretin", "0.3 to 0.5 mg/kg daily", "lipids, liver; no pregnancy for 3 years after"),
            ("Apremilast", "30 mg twice daily after titration", "weight, mood, diarrhoea"),
            ("Adalimumab", "80 mg, then 40 mg every 2 weeks", "tuberculosis, hepatitis B, infection"),
            ("Ustekinumab", "45 mg (90 mg above 100 kg)", "weeks 0 and 4, then every 12 weeks"),
            ("Secukinumab", "300 mg", "weeks 0 to 4, then monthly; candidiasis"),
            ("Guselkumab", "100 mg", "weeks 0 and 4, then every 8 weeks"),
            ("Risankizumab", "150 mg", "weeks 0 and 4, then every 12 weeks"),
        ),
        (0.2, 0.4, 0.4),
    ),
    Text(
        "Before a biological medicine screen for tuberculosis, hepatitis B, hepatitis C and HIV. Live vaccines should "
        "not be given during treatment with ciclosporin, methotrexate or biological medicines."
    ),
)
_CARE = (
    Heading("When to refer"),
    Bullets(
        (
            "Refer on the same day when erythrodermic or generalised pustular psoriasis is suspected.",
            "Refer to dermatology when more than 10 % of the body surface is affected or topical treatment fails.",
            "Refer to rheumatology when psoriatic arthritis is suspected, because delay leads to joint damage.",
            "Refer children and young people with any type of psoriasis for specialist advice at presentation.",
            "Take a biopsy of a single persistent scaly plaque to rule out squamous cell carcinoma in situ.",
        )
    ),
    Heading("Follow-up"),
    Text(
        "Review adults 4 weeks and children 2 weeks after a new topical treatment for psoriasis is started. Review "
        "people who use potent or very potent corticosteroids for psoriasis at least once a year and look for skin "
        "atrophy. A fall of PASI by 75 % from baseline, or by 50 % together with a fall of DLQI by at least 5 "
        "points, counts as an adequate response to systemic treatment. Assess cardiovascular risk at least every 5 "
        "years in severe psoriasis."
    ),
)

PSORIASIS = Guideline(
    file="psoriasis.pdf",
    title="Psoriasis: recognition and treatment in adults",
    edition="2026 sample",
    effective="2026-01-15",
    jurisdiction="none (sample)",
    blocks=(*_RECOGNITION, *_DIFFERENTIAL, *_SEVERITY, *_TOPICAL, *_SYSTEMIC, *_CARE),
    sources=(
        "NICE, Psoriasis: assessment and management, CG153, 2012, updated 2017.",
        "EuroGuiDerm, Guideline on the systemic treatment of psoriasis vulgaris, 2020, updated 2023.",
        "AAD and National Psoriasis Foundation, Guidelines of care for psoriasis: topical therapy, 2021.",
        "WHO, Global report on psoriasis, 2016.",
        "European Medicines Agency, product information of the medicines named, 2024.",
    ),
)
