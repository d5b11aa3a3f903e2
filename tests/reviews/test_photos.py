"""Photos: what is hostile is refused or defused, what is good comes out small and bare."""

import struct
import zlib
from io import BytesIO

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from postpurchase.errors import BusinessError
from reviews import photos


def _picture(kind: str = "JPEG", *, size: tuple[int, int] = (400, 300), **options: object) -> bytes:
    out = BytesIO()
    Image.new("RGB", size, (180, 80, 40)).save(out, kind, **options)
    return out.getvalue()


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _png_claiming(width: int, height: int) -> bytes:
    """A PNG of a few hundred bytes whose header claims a huge picture."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\0" * 100_000)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def _refusal(raw: bytes) -> str:
    with pytest.raises(BusinessError) as refused:
        photos.encode(raw)
    return refused.value.code


def test_a_photo_becomes_small_webp_without_where_it_was_taken() -> None:
    exif = Image.Exif()
    exif[0x010F] = "SpyCam"
    exif.get_ifd(0x8825)[2] = (46.0, 46.0, 0.0)
    raw = _picture(size=(4000, 2000), exif=exif.tobytes(), comment=b"secret comment", quality=80)
    assert b"SpyCam" in raw
    body, width, height = photos.encode(raw)
    assert (width, height) == (1600, 800)
    again = Image.open(BytesIO(body))
    assert (again.format, dict(again.getexif()), "exif" in again.info, "icc_profile" in again.info) == (
        "WEBP",
        {},
        False,
        False,
    )
    assert b"SpyCam" not in body
    assert b"secret comment" not in body


def test_a_photo_held_sideways_stands_upright_afterwards() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert photos.encode(_picture(size=(400, 200), exif=exif.tobytes()))[1:] == (200, 400)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_permitted_formats_are_known_by_content_and_not_by_name(kind: str) -> None:
    body, width, height = photos.encode(_picture(kind))
    assert Image.open(BytesIO(body)).format == "WEBP"
    assert (width, height) == (400, 300)


def test_see_through_pictures_stay_so() -> None:
    out = BytesIO()
    Image.new("RGBA", (20, 10), (0, 0, 0, 0)).save(out, "PNG")
    body, _, _ = photos.encode(out.getvalue())
    assert Image.open(BytesIO(body)).mode == "RGBA"


def test_a_bomb_is_refused_from_its_header_alone() -> None:
    for width, height in ((30_000, 30_000), (8_000, 8_000), (65_500, 700)):
        assert _refusal(_png_claiming(width, height)) == "photo_too_large"


def test_more_bytes_than_allowed_are_refused_unread() -> None:
    assert _refusal(b"\xff\xd8\xff" + b"0" * photos.MAX_BYTES) == "photo_too_large"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\0" * 64,
        b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        b"<html><script>alert(1)</script></html>",
        b"\xff\xd8\xff\xe0" + b"junk" * 40,
        _picture("GIF"),
        _picture("BMP"),
        _picture("TIFF"),
        _picture("JPEG")[:-200],
        _png_claiming(300, 300),
        b"SIMPLE  =                    T" + b" " * 2850,
    ],
    ids=["empty", "zeros", "svg", "html", "broken", "gif", "bmp", "tiff", "cut", "png-short", "fits"],
)
def test_anything_else_is_refused(raw: bytes) -> None:
    assert _refusal(raw) == "photo_unreadable"


def test_an_animation_gives_its_first_frame_only() -> None:
    out = BytesIO()
    frames = [Image.new("RGB", (30, 30), (shade, 0, 0)) for shade in range(0, 250, 5)]
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:])
    body, _, _ = photos.encode(out.getvalue())
    assert getattr(Image.open(BytesIO(body)), "n_frames", 1) == 1


def test_a_polyglot_loses_its_other_half() -> None:
    raw = _picture("JPEG") + b"<script>alert(document.domain)</script>"
    body, _, _ = photos.encode(raw)
    assert b"<script>" not in body


def test_a_bad_photo_does_not_hold_up_the_good_ones() -> None:
    good, refused = photos.prepare_all(
        [
            SimpleUploadedFile("../../etc/passwd.php", _picture(), "text/html"),
            SimpleUploadedFile("photo.jpg", b"no photo", "image/jpeg"),
        ]
    )
    assert [error.code for error in refused] == ["photo_unreadable"]
    assert len(good) == 1
    assert good[0].file == f"photos/{good[0].name[:2]}/{good[0].name}.webp"
    assert default_storage.exists(good[0].file)
