"""The sample guideline on melanocytic lesions and skin cancer."""

from writing.blocks import Bullets, Guideline, Heading, Table, Text

_RECOGNITION = (
    Heading("Recognition"),
    Text(
        "Most pigmented skin lesions are benign. The task is to leave harmless lesions alone and to find melanoma, "
        "squamous cell carcinoma and basal cell carcinoma early. Examine the whole skin with good light and a "
        "dermatoscope."
    ),
    Heading("Melanocytic nevi", 2),
    Text(
        "Melanocytic nevi are benign growths of melanocytes. A typical melanocytic nevus is small, round or oval, "
        "symmetrical, evenly brown, sharply bordered and stable over years. Junctional nevi are flat brown macules, "
        "compound nevi are slightly raised brown papules, and dermal nevi are soft, dome-shaped, skin-coloured to "
        "brown papules. On dark skin melanocytic nevi are often dark brown to black. A nevus that differs clearly "
        "from the person's other nevi is called an ugly duckling and deserves a closer look."
    ),
    Heading("Melanoma warning signs", 2),
    Bullets(
        (
            "Asymmetry of shape or colour is the A of the ABCDE rule of melanoma.",
            "An irregular or blurred border is the B of the ABCDE rule of melanoma.",
            "More than one colour, such as brown with black, blue, red or white, is the C of the ABCDE rule of "
            "melanoma.",
            "A diameter above 6 mm is the D of the ABCDE rule of melanoma.",
            "Evolution, a change in size, shape, colour or symptoms over weeks to months, is the E of the ABCDE rule.",
        )
    ),
    Text(
        "In the weighted 7-point checklist change in size, irregular shape and irregular colour count 2 points each; a "
        "diameter of ≥ 7 mm, inflammation, oozing and altered sensation count 1 point each. A score of ≥ 3 points "
        "calls for referral on a suspected cancer pathway. On palms, soles and under nails melanoma is easily missed, "
        "above all in people with dark skin."
    ),
    Heading("Basal cell carcinoma", 2),
    Text(
        "Basal cell carcinoma is the most common skin cancer and grows slowly, mostly on the face and neck. Nodular "
        "basal cell carcinoma is a pearly, translucent papule or nodule with a rolled border and branching "
        "telangiectasia. Basal cell carcinoma often ulcerates in the centre and then bleeds, crusts and does not "
        "heal. Superficial basal cell carcinoma is a thin red patch with a fine thread-like pearly edge. Pigmented "
        "basal cell carcinoma carries blue-grey or brown specks and is more frequent in people with dark skin."
    ),
    Heading("Squamous cell carcinoma in situ", 2),
    Text(
        "Squamous cell carcinoma in situ, also called Bowen disease, is a single, persistent, red, scaly or crusted "
        "plaque with an irregular but well-defined border. Squamous cell carcinoma in situ grows slowly on "
        "sun-damaged skin, often on the lower legs, hands, head and neck. About 3 to 5 % of untreated lesions "
        "become invasive squamous cell carcinoma. A tender, thickened or ulcerated area within the plaque suggests "
        "invasion."
    ),
)
_DIFFERENTIAL = (
    Heading("Differential diagnosis"),
    Bullets(
        (
            "Psoriasis forms several symmetrical plaques with silvery scale, whereas squamous cell carcinoma in "
            "situ is usually one irregular plaque that does not clear with a corticosteroid.",
            "Discoid lupus erythematosus on sun-exposed skin can look like squamous cell carcinoma in situ, but it "
            "shows follicular plugs and a pale atrophic centre.",
            "Lichen planus forms many violaceous flat-topped papules; one lesion that looks like lichen planus on "
            "sun-damaged skin may be a lichenoid keratosis and needs a biopsy.",
            "Sarcoidosis of the face forms smooth red-brown papules that can look like nodular basal cell carcinoma "
            "but lack pearly translucency and arborising vessels.",
            "A single inflamed papule of acne vulgaris heals within weeks, whereas basal cell carcinoma persists and "
            "bleeds again and again.",
            "Morphoeic basal cell carcinoma is a pale, scar-like, hardened patch and can look like localised "
            "scleroderma.",
            "Photodermatoses cause redness of all sun-exposed skin and settle within days to weeks, unlike a tumour.",
            "Seborrhoeic keratosis is a stuck-on, waxy, brown plaque and may look like a melanocytic nevus.",
        )
    ),
)
_SEVERITY = (
    Heading("Severity and staging"),
    Text(
        "The Breslow thickness is measured in millimetres from the granular layer of the epidermis to the deepest "
        "tumour cell and is the most important prognostic factor of primary melanoma. Ulceration raises the stage."
    ),
    Table(
        "Table 1. Melanoma: Breslow thickness, T category and excision margin",
        ("T category", "Breslow thickness", "Wide excision margin", "Sentinel node biopsy"),
        (
            ("Tis (in situ)", "0 mm", "5 to 10 mm", "no"),
            ("T1a", "< 0.8 mm, not ulcerated", "10 mm", "no"),
            ("T1b", "0.8 to 1.0 mm, or ulcerated", "10 mm", "discuss"),
            ("T2", "> 1.0 to 2.0 mm", "10 to 20 mm", "offer"),
            ("T3", "> 2.0 to 4.0 mm", "20 mm", "offer"),
            ("T4", "> 4.0 mm", "20 mm", "offer"),
        ),
        (0.17, 0.35, 0.25, 0.23),
    ),
    Text(
        "Basal cell carcinoma has a high risk of recurrence when it lies on the central face, ears or eyelids, is "
        "larger than 20 mm on the trunk or limbs, has recurred, or has a morphoeic, infiltrative or micronodular "
        "pattern. Squamous cell carcinoma has a high risk when it is thicker than 6 mm, grows along nerves, lies on "
        "the ear or lip, or occurs in a person with immunosuppression."
    ),
)
_TREATMENT = (
    Heading("Treatment"),
    Heading("Melanocytic nevi and suspected melanoma", 2),
    Text(
        "Typical melanocytic nevi need no treatment. A suspicious pigmented lesion is excised completely with a "
        "clinical margin of 2 mm of normal skin and a cuff of fat, and is sent for histology. Never destroy a "
        "pigmented lesion with laser or cryotherapy without histology. Shave biopsy of suspected melanoma is "
        "avoided because it can make the Breslow thickness unreliable."
    ),
    Heading("Basal cell and squamous cell carcinoma", 2),
    Text(
        "Surgical excision with histology is the standard for nodular basal cell carcinoma. Mohs surgery is "
        "preferred for high-risk basal cell carcinoma of the face. Topical treatment is kept for superficial basal "
        "cell carcinoma and squamous cell carcinoma in situ and is not suitable for nodular or invasive tumours."
    ),
    Table(
        "Table 2. Excision margins of keratinocyte cancers",
        ("Tumour", "Clinical margin", "Alternative"),
        (
            ("Basal cell carcinoma, low risk", "4 mm", "curettage and cautery"),
            (
                "Basal cell carcinoma, high risk",
                "Mohs surgery, or 5 to 10 mm",
                "radiotherapy when surgery is not possible",
            ),
            ("Squamous cell carcinoma in situ", "5 mm", "topical treatment, cryotherapy, photodynamic therapy"),
            ("Squamous cell carcinoma, low risk", "4 to 6 mm", "curettage by experienced hands"),
            ("Squamous cell carcinoma, high risk", "6 to 10 mm, or Mohs surgery", "radiotherapy"),
        ),
        (0.35, 0.29, 0.36),
    ),
    Table(
        "Table 3. Non-surgical treatment",
        ("Treatment", "Strength or dose", "Indication", "Schedule"),
        (
            ("Imiquimod cream", "5 %", "superficial basal cell carcinoma", "5 times a week for 6 weeks"),
            (
                "Imiquimod cream (off label)",
                "5 %",
                "squamous cell carcinoma in situ",
                "3 to 5 times a week for up to 16 weeks",
            ),
            ("5-fluorouracil cream", "5 %", "superficial basal cell carcinoma", "twice daily for 3 to 6 weeks"),
            ("5-fluorouracil cream", "5 %", "squamous cell carcinoma in situ", "once or twice daily for 3 to 4 weeks"),
            (
                "Methyl aminolevulinate, red light",
                "160 mg/g",
                "superficial basal cell carcinoma, squamous cell carcinoma in situ",
                "2 sessions 7 days apart",
            ),
            ("Vismodegib", "150 mg", "advanced basal cell carcinoma", "once daily; teratogenic"),
            ("Sonidegib", "200 mg", "advanced basal cell carcinoma", "once daily; teratogenic"),
        ),
        (0.26, 0.19, 0.26, 0.29),
    ),
    Text(
        "Redness, erosion and crusts are expected during treatment with imiquimod or 5-fluorouracil and settle "
        "within weeks of stopping. 5-fluorouracil must not be used in people with complete lack of "
        "dihydropyrimidine dehydrogenase."
    ),
)
_CARE = (
    Heading("When to refer"),
    Bullets(
        (
            "Refer on a suspected cancer pathway, to be seen within 2 weeks, when melanoma or invasive squamous cell "
            "carcinoma is suspected.",
            "Refer suspected basal cell carcinoma routinely, and with priority when its site or size makes delay "
            "harmful.",
            "Refer any new nodule that is elevated, firm and growing for more than 1 month, even when it has no "
            "pigment.",
            "Refer any new pigmented line in a nail and any growing pigmented lesion of the palm or sole.",
        )
    ),
    Heading("Follow-up"),
    Text(
        "People with few, typical melanocytic nevi need no routine follow-up but should know the warning signs. "
        "People with more than 100 nevi or several atypical nevi benefit from baseline photographs and a yearly "
        "check. After basal cell carcinoma the skin is examined every 6 to 12 months at first, because a second "
        "tumour is common. After invasive squamous cell carcinoma examine skin and regional lymph nodes every 3 to "
        "6 months for 2 years. Advise everyone to avoid sunburn and sunbeds and to use clothing, shade and "
        "sunscreen with SPF ≥ 30."
    ),
)

MELANOCYTIC = Guideline(
    file="melanocytic-lesions-and-skin-cancer.pdf",
    title="Melanocytic lesions and skin cancer: recognition and first steps",
    edition="2026 sample",
    effective="2026-02-01",
    jurisdiction="none (sample)",
    blocks=(*_RECOGNITION, *_DIFFERENTIAL, *_SEVERITY, *_TREATMENT, *_CARE),
    sources=(
        "NICE, Suspected cancer: recognition and referral, NG12, 2015, updated 2023.",
        "NICE, Melanoma: assessment and management, NG14, 2015, updated 2022.",
        "AJCC, Cancer Staging Manual, eighth edition, 2017.",
        "NCI PDQ, Skin cancer treatment, health professional version, 2024.",
        "British Association of Dermatologists, Guidelines on squamous cell carcinoma in situ, 2022.",
        "EADO and EADV, European interdisciplinary guideline on basal cell carcinoma, 2019, updated 2023.",
    ),
)
