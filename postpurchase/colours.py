"""A shop's accent, made readable: contrast is computed here, never trusted."""

from colorsys import hls_to_rgb, rgb_to_hls
from dataclasses import dataclass

READABLE = 4.5
_LIGHT_GROUNDS = ("#FFFFFF", "#F6F6F4")
_DARK_GROUNDS = ("#111416", "#191D20", "#272C31")
FALLBACK = "#0B6E5F"


@dataclass(frozen=True)
class Brand:
    """The accent on light and dark ground, and what is written on each; every pair has at least 4.5:1."""

    light: str
    on_light: str
    night: str
    on_night: str


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _hex(red: float, green: float, blue: float) -> str:
    return "#" + "".join(f"{min(max(round(part), 0), 255):02X}" for part in (red, green, blue))


def _luminance(colour: str) -> float:
    parts = [part / 255 for part in _rgb(colour)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The contrast of two colours (WCAG 2), 1 to 21."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _mix(colour: str, ground: str, share: float) -> str:
    return _hex(*(a * (1 - share) + b * share for a, b in zip(_rgb(colour), _rgb(ground), strict=True)))


def _until_readable(colour: str, towards: str, grounds: tuple[str, ...], least: float) -> str:
    # Lightness moves, hue and saturation stay: mixing with white would wash the brand out.
    hue, lightness, saturation = rgb_to_hls(*(part / 255 for part in _rgb(colour)))
    end = 0.0 if towards == "#000000" else 1.0
    for step in range(41):
        moved = hls_to_rgb(hue, lightness + (end - lightness) * step / 40, saturation)
        mixed = _hex(*(part * 255 for part in moved))
        if all(contrast(mixed, ground) >= least for ground in grounds):
            return mixed
    return towards


def is_colour(text: str) -> bool:
    """Whether the text is "#RRGGBB"."""
    return len(text) == 7 and text[0] == "#" and all(part in "0123456789abcdefABCDEF" for part in text[1:])


def brand(accent: str) -> Brand:
    """The four colours of a shop from its accent: darkened for light ground, lightened for dark, until readable."""
    accent = accent.upper() if is_colour(accent) else FALLBACK
    light = _until_readable(accent, "#000000", _LIGHT_GROUNDS, READABLE)
    night = _until_readable(accent, "#FFFFFF", _DARK_GROUNDS, 6.5)
    on_night = _until_readable(_mix(accent, "#000000", 0.7), "#000000", (night,), READABLE)
    return Brand(light, "#FFFFFF", night, on_night)
