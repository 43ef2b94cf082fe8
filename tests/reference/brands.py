"""The reference for brands and service codes: the ranges as sets of prefixes, the longest prefix first."""

VISA, MASTERCARD, AMEX, DINERS, DISCOVER, JCB, UNIONPAY, MAESTRO, MIR, RUPAY = range(1, 11)
TROY, ELO, HIPERCARD, DANKORT, BANCONTACT, VERVE, UATP = range(11, 18)
# Brand, lengths, prefixes (a range where two ends are joined by a dash).
BRANDS = [
    (VISA, {13, 16, 18, 19}, "4"),
    (MASTERCARD, {16}, "2221-2720 51-55"),
    (AMEX, {15}, "34 37"),
    (DINERS, {*range(14, 20)}, "300-305 3095 36 38-39"),
    (DISCOVER, {*range(16, 20)}, "6011 644-649 65"),
    (JCB, {*range(16, 20)}, "3528-3589"),
    (UNIONPAY, {*range(16, 20)}, "62 8100-8171"),
    (MAESTRO, {*range(12, 20)}, "5018 5020 5038 5893 6304 67"),
    (MIR, {*range(16, 20)}, "2200-2204"),
    (RUPAY, {16}, "508500-508999 606985-607984 608001-608500 652150-653149 817200-820199"),
    (TROY, {16}, "9792"),
    (
        ELO,
        {16},
        "401178-401179 431274 438935 451416 457393 457631-457632 504175 506699-506778 509 627780 636297 636368"
        " 650031-650033 650035-650051 650405-650439 650485-650538 650541-650598 650700-650718 650720-650727"
        " 650901-650978 651652-651679 655000-655019 655021-655058",
    ),
    (HIPERCARD, {13, 16, 19}, "606282"),
    (DANKORT, {16}, "5019"),
    (BANCONTACT, {16, 17}, "6703"),
    (VERVE, {16, 18, 19}, "506099-506198 507865-507964"),
    (UATP, {15}, "1"),
]
PREFIXES: dict[str, int] = {}
for number, _, texts in BRANDS:
    for text in texts.split():
        low, _, high = text.partition("-")
        PREFIXES |= {str(prefix): number for prefix in range(int(low), int(high or low) + 1)}
LENGTHS = {number: lengths for number, lengths, _ in BRANDS}

INTERCHANGE = dict(zip("125679", (1, 2, 5, 6, 7, 9), strict=True))
AUTHORISATION = dict(zip("024", (1, 2, 3), strict=True))
SERVICES = dict(zip("01234567", range(1, 9), strict=True))


def brand_of(pan: str) -> int:
    """The brand of the longest prefix, if numbers of it have this length."""
    for size in range(6, 0, -1):
        found = PREFIXES.get(pan[:size])
        if found:
            return found if len(pan) in LENGTHS[found] else 0
    return 0


def service_of(code: str) -> tuple[int, int, int]:
    if not code:
        return (0, 0, 0)
    return (INTERCHANGE.get(code[0], 0), AUTHORISATION.get(code[1], 0), SERVICES.get(code[2], 0))
