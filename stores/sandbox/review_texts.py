"""What the invented shoppers write about what they bought, by language and number of stars."""

from collections.abc import Mapping

GOOD, FAIR, POOR = "good", "fair", "poor"

TEXTS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "ro": {
        GOOD: (
            "Exact ca în poze, iar glazura e superbă. Îl folosesc zilnic.",
            "Foarte bine ambalat, a ajuns întreg. Recomand cu drag.",
            "Se simte că e lucrat manual. Am comandat deja și pentru mama.",
            "Culoarea e caldă și forma stă perfect în mână.",
            "A doua comandă de la voi și tot încântată sunt.",
        ),
        FAIR: (
            "Frumos, dar puțin mai mic decât mă așteptam.",
            "Produsul e bun, livrarea a durat cam mult.",
            "Nuanța diferă ușor de poză, altfel e în regulă.",
        ),
        POOR: (
            "A ajuns ciobit pe margine. Aștept un răspuns.",
            "Glazura are bule și se vede la lumină.",
        ),
    },
    "id": {
        GOOD: (
            "Persis seperti di foto, glasirnya indah sekali.",
            "Dikemas sangat aman, sampai dalam keadaan utuh. Terima kasih!",
            "Terasa buatan tangan. Sudah pesan lagi untuk kado.",
            "Warnanya hangat dan nyaman dipegang.",
            "Kualitas bagus, penjual ramah.",
        ),
        FAIR: (
            "Bagus, tetapi sedikit lebih kecil dari perkiraan.",
            "Barangnya baik, pengirimannya agak lama.",
        ),
        POOR: (
            "Sampai dengan retak kecil di bagian bawah.",
            "Warnanya berbeda jauh dari foto.",
        ),
    },
    "de": {
        GOOD: (
            "Wunderschöne Glasur, liegt gut in der Hand.",
            "Sehr sorgfältig verpackt, alles heil angekommen.",
            "Schon die zweite Bestellung, wieder begeistert.",
            "Sieht aus wie auf dem Bild, nur schöner.",
        ),
        FAIR: ("Schön, aber etwas kleiner als gedacht.", "Gute Ware, der Versand hat gedauert."),
        POOR: ("Leider mit einem Sprung angekommen.", "Die Farbe weicht stark vom Bild ab."),
    },
    "en": {
        GOOD: (
            "Beautiful glaze, and it feels right in the hand.",
            "Packed so well that nothing could break. Thank you!",
            "You can tell it was made by hand. Already ordered another.",
            "Looks just like the picture, only better.",
        ),
        FAIR: ("Lovely, though a little smaller than I expected.", "Good quality, shipping took a while."),
        POOR: ("Arrived with a chip on the rim.", "The colour is quite different from the picture."),
    },
    "ar": {
        GOOD: ("جميل جدًا ومصنوع بعناية.", "وصل سليمًا والتغليف ممتاز. شكرًا لكم!", "اللون دافئ كما في الصورة تمامًا."),
        FAIR: ("جميل لكنه أصغر قليلًا مما توقعت.", "المنتج جيد لكن التوصيل تأخر."),
        POOR: ("وصل وفيه كسر صغير عند الحافة.",),
    },
}


def review_text(*, language: str, stars: int, pick: int) -> str:
    """One of the texts that fit; `pick` is any number not below zero."""
    tone = GOOD if stars >= 4 else FAIR if stars == 3 else POOR
    choices = TEXTS[language][tone]
    return choices[pick % len(choices)]
