"""Shoppers' photos: decoded under limits, turned upright, stripped of all they carry along, and encoded anew."""

import secrets
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _
from PIL import Image, ImageOps

from postpurchase.errors import BusinessError
from reviews.models import Case, Photo, Review

FORMATS = ("JPEG", "PNG", "WEBP")
ACCEPT = "image/jpeg,image/png,image/webp"
MAX_BYTES = 10 * 1024 * 1024
MAX_PIXELS = 40_000_000
LONGEST_SIDE = 1600
MAX_PHOTOS = 5

# Pillow opens nothing larger than twice this, whoever asks; we refuse what is larger than this.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS


@dataclass(frozen=True)
class Prepared:
    """A photo that is already safe and in storage under `file`, but not yet of any review or case."""

    name: str
    file: str
    width: int
    height: int


def too_large() -> BusinessError:
    return BusinessError(
        _("This photo is too large. What you wrote is kept. Choose one of at most 10 MB and 40 megapixels."),
        "photo_too_large",
    )


def unreadable() -> BusinessError:
    return BusinessError(
        _("This file is not a photo we can read. What you wrote is kept. Choose a JPEG, PNG or WebP picture."),
        "photo_unreadable",
    )


def encode(raw: bytes) -> tuple[bytes, int, int]:
    """Any permitted picture as WebP without metadata, upright, its longest side at most 1600 px; with width, height.

    BusinessError `photo_too_large` or `photo_unreadable`. What a file is called or claims to be plays no part.
    """
    if len(raw) > MAX_BYTES:
        raise too_large()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image: Image.Image = Image.open(BytesIO(raw), formats=FORMATS)
            # The header alone was read so far; a small file can still claim a picture that fills the memory.
            if image.width * image.height > MAX_PIXELS:
                raise too_large()
            image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
            image = ImageOps.exif_transpose(image)
            see_through = image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info
            image = image.convert("RGBA" if see_through else "RGB")
            out = BytesIO()
            image.save(out, "WEBP", quality=82, method=4, exif=b"", xmp=b"", icc_profile=None)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise too_large() from error
    except (OSError, ValueError, SyntaxError, IndexError, KeyError, TypeError, EOFError) as error:
        # Pillow's decoders raise all of these on hostile bytes.
        raise unreadable() from error
    return out.getvalue(), image.width, image.height


def prepare(upload: UploadedFile) -> Prepared:
    """Make an upload safe and put it into storage under a random name. Takes time: call it outside a transaction."""
    if upload.size is not None and upload.size > MAX_BYTES:
        raise too_large()
    body, width, height = encode(upload.read(MAX_BYTES + 1))
    name = secrets.token_hex(16)
    file = default_storage.save(f"photos/{name[:2]}/{name}.webp", ContentFile(body))
    return Prepared(name, file, width, height)


def prepare_all(uploads: Iterable[UploadedFile]) -> tuple[list[Prepared], list[BusinessError]]:
    """Prepare several; a bad one is told and does not hold up the others."""
    good: list[Prepared] = []
    refused: list[BusinessError] = []
    for upload in uploads:
        try:
            good.append(prepare(upload))
        except BusinessError as error:
            refused.append(error)
    return good, refused


def attach(photos: Iterable[Prepared], *, review: Review | None = None, case: Case | None = None) -> list[Photo]:
    """Give prepared photos to a review or a case, in the caller's transaction."""
    owner = review or case
    if owner is None:
        raise ValueError("a photo belongs to a review or a case")
    return Photo.objects.bulk_create(
        Photo(
            store_id=owner.store_id,
            review=review,
            case=case,
            name=photo.name,
            file=photo.file,
            width=photo.width,
            height=photo.height,
        )
        for photo in photos
    )


def discard(photos: Iterable[Prepared | Photo]) -> None:
    """Take the files out of storage."""
    for photo in photos:
        default_storage.delete(photo.file)
