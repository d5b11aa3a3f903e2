"""Placeholder pictures of the made-up catalogue: a soft ground with a simple drawing of the kind of thing."""

from functools import lru_cache
from io import BytesIO
from zlib import crc32

from PIL import Image, ImageDraw

from stores.sandbox.catalogue import slugs

SIZE = 600
# Ground and clay, one pair a picture.
COLOURS = (
    ("#F3E9DC", "#B4643C"),
    ("#E6EDF3", "#2F5D8C"),
    ("#EAF0E4", "#5F7A4B"),
    ("#F6ECE6", "#C98B6B"),
    ("#ECE9F2", "#6B5B8C"),
    ("#F2F0EA", "#4A4F57"),
    ("#F7EFD9", "#C79A3B"),
)


@lru_cache(maxsize=128)
def picture(slug: str) -> bytes:
    """The picture of a product as PNG, 600 x 600; the same slug gives the same bytes. KeyError for an unknown slug."""
    kind = slugs()[slug]
    ground, clay = COLOURS[crc32(slug.encode()) % len(COLOURS)]
    # Drawn at twice the size and reduced, which smooths the edges.
    canvas = Image.new("RGB", (SIZE * 2, SIZE * 2), ground)
    draw = ImageDraw.Draw(canvas)
    draw.ellipse((260, 900, 940, 980), fill=_mixed(ground, clay, 15))
    _draw(draw, kind, clay, _mixed(clay, "#FFFFFF", 35), ground)
    out = BytesIO()
    canvas.resize((SIZE, SIZE), Image.Resampling.LANCZOS).quantize(64).save(out, "PNG", optimize=True)
    return out.getvalue()


def _mixed(first: str, second: str, percent: int) -> str:
    pairs = ((int(first[at : at + 2], 16), int(second[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{(one * (100 - percent) + two * percent) // 100:02X}" for one, two in pairs)


def _draw(draw: ImageDraw.ImageDraw, kind: str, clay: str, light: str, ground: str) -> None:
    match kind:
        case "mugs":
            draw.ellipse((720, 480, 980, 780), outline=clay, width=56)
            draw.rounded_rectangle((330, 380, 800, 940), radius=90, fill=clay)
            draw.rectangle((330, 640, 800, 700), fill=light)
            draw.ellipse((330, 340, 800, 430), fill=light)
        case "bowls":
            draw.pieslice((220, 180, 980, 940), 0, 180, fill=clay)
            draw.rounded_rectangle((480, 900, 720, 950), radius=16, fill=clay)
            draw.ellipse((220, 510, 980, 610), fill=light)
        case "plates":
            draw.ellipse((240, 260, 960, 980), fill=clay)
            draw.ellipse((350, 370, 850, 870), fill=light)
        case "vases":
            draw.ellipse((360, 440, 840, 950), fill=clay)
            draw.polygon([(500, 280), (700, 280), (660, 520), (540, 520)], fill=clay)
            draw.ellipse((490, 250, 710, 310), fill=light)
            draw.rectangle((372, 680, 828, 720), fill=light)
        case "table":
            draw.arc((640, 400, 940, 760), 260, 100, fill=clay, width=46)
            draw.polygon([(430, 300), (690, 300), (780, 940), (380, 940)], fill=clay)
            draw.polygon([(430, 300), (340, 300), (450, 420)], fill=clay)
            draw.ellipse((430, 270, 690, 330), fill=light)
        case "candles":
            draw.polygon([(600, 220), (660, 350), (600, 400), (540, 350)], fill="#E8A13A")
            draw.rectangle((592, 390, 608, 470), fill="#4A4F57")
            draw.rounded_rectangle((400, 460, 800, 940), radius=50, fill=clay)
            draw.rectangle((400, 620, 800, 800), fill=light)
        case "glazes":
            draw.rounded_rectangle((380, 420, 820, 940), radius=60, fill=clay)
            draw.rounded_rectangle((430, 320, 770, 430), radius=24, fill=light)
            draw.rounded_rectangle((430, 560, 770, 800), radius=16, fill=ground)
        case "tools":
            draw.rounded_rectangle((440, 260, 500, 940), radius=30, fill=clay)
            draw.ellipse((400, 220, 540, 400), fill=light)
            draw.rounded_rectangle((680, 420, 740, 940), radius=30, fill=clay)
            draw.polygon([(660, 420), (760, 420), (710, 220)], fill=light)
        case _:
            draw.rounded_rectangle((400, 500, 800, 940), radius=70, fill=clay)
            draw.rectangle((540, 360, 660, 510), fill=clay)
            draw.rounded_rectangle((480, 290, 840, 370), radius=30, fill=light)
            draw.ellipse((500, 620, 700, 820), fill=ground)
