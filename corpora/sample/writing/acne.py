"""The sample guideline on acne."""

from writing.blocks import Bullets, Guideline, Heading, Table, Text

_RECOGNITION = (
    Heading("Recognition"),
    Text(
        "Acne vulgaris is an inflammatory disease of the pilosebaceous follicle and affects about 85 % of people "
        "between 12 and 24 years of age. Four processes act together: excess sebum, abnormal keratin in the "
        "follicle, Cutibacterium acnes and inflammation."
    ),
    Heading("Morphology", 2),
    Text(
        "Comedones are the hallmark of acne vulgaris: without comedones think of another diagnosis. Acne vulgaris "
        "shows lesions of different kinds side by side on the face, chest, shoulders and back."
    ),
    Bullets(
        (
            "Open comedones (blackheads) are follicles with a dark plug, and closed comedones (whiteheads) are small "
            "skin-coloured bumps.",
            "Inflamed papules of acne vulgaris are red, tender, dome-shaped and smaller than 5 mm.",
            "Pustules of acne vulgaris are inflamed papules with a white or yellow cap.",
            "Nodules are deep, firm and painful, and are larger than 5 mm; they often leave scars.",
            "On brown and black skin the redness of acne vulgaris is less visible and dark marks remain for months.",
        )
    ),
    Heading("What to ask", 2),
    Text(
        "Ask about duration, earlier treatment, scarring, menstrual cycle, contraception, pregnancy and mood. "
        "Irregular periods together with increased body hair suggest polycystic ovary syndrome. Anabolic steroids, "
        "corticosteroids, lithium, isoniazid and some cancer medicines can cause eruptions that look like acne. Ask "
        "about distress directly, because acne vulgaris is linked to anxiety, depression and suicidal thoughts at "
        "any grade of severity."
    ),
)
_DIFFERENTIAL = (
    Heading("Differential diagnosis"),
    Bullets(
        (
            "Rosacea shows flushing, lasting central redness, papules and pustules in adults, but no comedones.",
            "Lupus erythematosus with a butterfly rash causes fixed redness of the cheeks and nose, spares the "
            "nasolabial folds and shows neither comedones nor pustules.",
            "Sarcoidosis of the face causes smooth, red-brown, persistent papules without comedones or pustules.",
            "Basal cell carcinoma is a single pearly papule or nodule with telangiectasia in an adult; a 'pimple' that "
            "persists for more than 2 months should be examined for it.",
            "Melanocytic nevi of the face are stable, soft, brown or skin-coloured papules and are not inflamed.",
            "Photodermatoses and acne triggered by sunlight cause papules on sun-exposed skin with a sharp limit at "
            "the clothing; doxycycline and isotretinoin make the skin more sensitive to light.",
            "Bacterial and Malassezia folliculitis form uniform itchy papules and pustules without comedones.",
            "Perioral dermatitis causes small papules around the mouth with a clear zone next to the lips.",
        )
    ),
)
_SEVERITY = (
    Heading("Severity"),
    Text(
        "Grade acne vulgaris by the number and kind of lesions, by scarring and by its effect on the person. The "
        "Investigator Global Assessment (IGA) runs from 0 (clear) to 4 (severe)."
    ),
    Table(
        "Table 1. Grades of severity used in this sample",
        ("Grade", "IGA", "Typical picture", "Usual start"),
        (
            ("Mild", "1 to 2", "comedones, few inflamed papules", "topical combination"),
            (
                "Moderate",
                "3",
                "many papules and pustules, at most one nodule",
                "topical combination, with or without doxycycline",
            ),
            ("Severe", "4", "nodules, widespread lesions or scars", "oral isotretinoin, or oral antibiotic at first"),
        ),
        (0.15, 0.12, 0.36, 0.37),
    ),
)
_TOPICAL = (
    Heading("Treatment"),
    Heading("General advice", 2),
    Text(
        "Wash twice daily with a mild cleanser that is not alkaline, choose non-comedogenic cosmetics, and do not "
        "squeeze lesions. Treatment of acne vulgaris needs 6 to 8 weeks before a benefit is seen. Start topical "
        "treatment every second evening to reduce irritation."
    ),
    Heading("Topical treatment", 2),
    Text(
        "Combine medicines with different actions: a topical retinoid with benzoyl peroxide is the usual first "
        "choice. A topical antibiotic is never used alone; benzoyl peroxide is added to limit bacterial resistance. "
        "Benzoyl peroxide bleaches hair and fabrics. Topical retinoids are avoided in pregnancy, whereas azelaic "
        "acid and benzoyl peroxide can be used."
    ),
    Table(
        "Table 2. Topical medicines",
        ("Medicine", "Strength", "Use"),
        (
            ("Adapalene", "0.1 % or 0.3 %", "once daily in the evening"),
            ("Tretinoin", "0.025 to 0.1 %", "once daily in the evening"),
            ("Benzoyl peroxide", "2.5 to 5 %", "once or twice daily"),
            ("Adapalene with benzoyl peroxide", "0.1 % with 2.5 %", "once daily in the evening"),
            ("Clindamycin with benzoyl peroxide", "1 % with 3 to 5 %", "once daily, at most 12 weeks"),
            ("Azelaic acid", "15 to 20 %", "twice daily; also for dark marks"),
            ("Clascoterone", "1 %", "twice daily, from 12 years of age"),
            ("Salicylic acid", "0.5 to 2 %", "once or twice daily"),
        ),
        (0.36, 0.26, 0.38),
    ),
)
_SYSTEMIC = (
    Heading("Systemic treatment", 2),
    Text(
        "An oral antibiotic is always combined with benzoyl peroxide and is reviewed after 12 weeks. Tetracyclines "
        "are not given in pregnancy or to children under 8 years of age, and never together with isotretinoin "
        "because of the risk of raised intracranial pressure. Spironolactone and combined oral contraceptives are "
        "options for women."
    ),
    Table(
        "Table 3. Systemic medicines",
        ("Medicine", "Dose", "Remarks"),
        (
            ("Doxycycline", "100 mg once daily", "for up to 12 weeks; sun protection"),
            ("Lymecycline", "408 mg once daily", "for up to 12 weeks"),
            ("Sarecycline", "1.5 mg/kg once daily", "narrow spectrum, from 9 years of age"),
            ("Spironolactone", "50 to 100 mg daily", "women only; not in pregnancy"),
            ("Isotretinoin, start", "0.5 mg/kg daily", "with a meal"),
            ("Isotretinoin, full dose", "up to 1 mg/kg daily", "cumulative dose 120 to 150 mg/kg"),
            ("Prednisolone in acne fulminans", "0.5 to 1 mg/kg daily", "for 2 to 4 weeks before low-dose isotretinoin"),
        ),
        (0.31, 0.27, 0.42),
    ),
    Heading("Safety of isotretinoin", 2),
    Bullets(
        (
            "Isotretinoin causes severe birth defects: a pregnancy must be excluded before, during and 1 month "
            "after it.",
            "Effective contraception is needed from 1 month before until 1 month after isotretinoin.",
            "Measure liver enzymes and triglycerides before isotretinoin and again after 1 to 2 months.",
            "Dry lips and dry skin occur in almost everyone who takes isotretinoin.",
            "Ask about low mood and sexual side effects before the start and at each visit.",
        )
    ),
)
_CARE = (
    Heading("When to refer"),
    Bullets(
        (
            "Refer on the same day when acne fulminans is suspected: sudden ulcerating nodules with fever or joint "
            "pain.",
            "Refer nodular acne, acne with scars and acne with lasting pigment changes to dermatology.",
            "Refer moderate acne that has not responded to a 12-week course with an oral antibiotic.",
            "Seek mental health support when acne causes severe distress.",
            "Refer to endocrinology when signs of excess androgen are present.",
        )
    ),
    Heading("Follow-up"),
    Text(
        "Review first-line treatment of acne vulgaris at 12 weeks. When acne vulgaris has cleared, stop the "
        "antibiotic and continue a topical retinoid, benzoyl peroxide or both as maintenance. Review maintenance "
        "treatment after 12 weeks and then decide with the person whether it is still needed. Treat scars only when "
        "the acne is inactive."
    ),
)

ACNE = Guideline(
    file="acne.pdf",
    title="Acne vulgaris: recognition and treatment",
    edition="2026 sample",
    effective="2026-03-01",
    jurisdiction="none (sample)",
    blocks=(*_RECOGNITION, *_DIFFERENTIAL, *_SEVERITY, *_TOPICAL, *_SYSTEMIC, *_CARE),
    sources=(
        "American Academy of Dermatology, Guidelines of care for the management of acne vulgaris, 2024.",
        "NICE, Acne vulgaris: management, NG198, 2021, updated 2023.",
        "European Dermatology Forum, S3 guideline for the treatment of acne, 2016.",
        "WHO, Model list of essential medicines, 2023.",
        "MHRA, Isotretinoin: prescribing and pregnancy prevention, 2023.",
    ),
)
