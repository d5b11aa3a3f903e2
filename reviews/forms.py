"""What comes in from the review and help pages, read strictly: known fields only, everything else is ignored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from django.utils.translation import gettext as _

from reviews import asking, photos
from reviews.models import Photo, ReviewRequest
from reviews.submission import MAX_NAME, MAX_TEXT, MAX_TITLE, Answer, default_name

# A whole form with its photos; beyond that it is not read at all.
MAX_BODY = 100 * 1024 * 1024


@dataclass
class ItemForm:
    """One item as the page shows it: what was said so far, and what is wrong with it."""

    item: asking.Item
    rating: int = 0
    title: str = ""
    text: str = ""
    kept: Sequence[Photo] = ()
    uploads: Sequence[UploadedFile] = ()
    saved: bool = False
    error: str = ""

    @property
    def line_id(self) -> int:
        return self.item.line.woo_id

    @property
    def photo_field(self) -> str:
        return f"photo-{self.line_id}"

    @property
    def empty(self) -> bool:
        return not (self.rating or self.title or self.text or self.uploads)


@dataclass
class ReviewForm:
    """The whole page. `errors` are (anchor, sentence), in the order of the page."""

    items: list[ItemForm]
    name: str
    errors: list[tuple[str, str]] = field(default_factory=list)

    @property
    def open_items(self) -> list[ItemForm]:
        return [one for one in self.items if not one.item.reason]

    @property
    def closed_items(self) -> list[ItemForm]:
        return [one for one in self.items if one.item.reason]

    def refuse(self, message: str, *, anchor: str = "main", item: ItemForm | None = None) -> None:
        self.errors.append((f"i{item.line_id}" if item else anchor, message))
        if item:
            item.error = message


def _stars(raw: str) -> int:
    return int(raw) if raw in {"1", "2", "3", "4", "5"} else 0


def unbound(request: ReviewRequest, chosen: Mapping[str, str]) -> ReviewForm:
    """The page as it opens: earlier answers filled in, and the star of the mail's link (`s`, `i`) chosen."""
    said = {review.product_id: review for review in request.reviews.prefetch_related("photos")}
    items = []
    for item in asking.items(request.order):
        form = ItemForm(item)
        review = said.get(item.product.pk) if item.product else None
        if review:
            form.saved, form.kept = True, list(review.photos.all())
            form.rating, form.title, form.text = review.rating, review.title, review.text
        if chosen.get("i") == str(form.line_id) and not item.reason:
            form.rating = _stars(chosen.get("s", "")) or form.rating
        items.append(form)
    latest = max(said.values(), key=lambda review: review.pk, default=None)
    return ReviewForm(items, latest.display_name if latest else default_name(request.customer))


def bound(request: ReviewRequest, http: HttpRequest) -> ReviewForm:
    """The page as it was sent, with its faults told."""
    form = unbound(request, {})
    form.name = http.POST.get("name", "")[:MAX_NAME]
    for one in form.open_items:
        one.rating = _stars(http.POST.get(f"rating-{one.line_id}", ""))
        one.title = http.POST.get(f"title-{one.line_id}", "")[:MAX_TITLE]
        one.text = http.POST.get(f"text-{one.line_id}", "")[:MAX_TEXT]
        one.uploads = http.FILES.getlist(one.photo_field)
        name = one.item.name
        if len(one.uploads) + len(one.kept) > photos.MAX_PHOTOS:
            form.refuse(_("%(name)s: choose at most 5 photos.") % {"name": name}, item=one)
        elif not one.rating and not one.empty:
            form.refuse(_("%(name)s: choose 1 to 5 stars.") % {"name": name}, item=one)
    return form


def cleared(request: ReviewRequest, http: HttpRequest) -> ReviewForm:
    """The page as it was sent, with the stars of one item taken back. Nothing is judged or recorded."""
    form = bound(request, http)
    form.errors = []
    for one in form.items:
        one.error = ""
        if str(one.line_id) == http.POST.get("clear"):
            one.rating = 0
    return form


def answers(form: ReviewForm) -> tuple[list[Answer], set[str]]:
    """The rated items as answers, their photos made safe; and the codes of photos that were refused.

    A photo that cannot be used never holds up the review. Decodes pictures: call it outside a transaction.
    """
    done, refused = [], set()
    for one in form.open_items:
        if not one.rating:
            continue
        good, bad = photos.prepare_all(one.uploads)
        refused |= {error.code for error in bad}
        done.append(Answer(one.line_id, one.rating, one.title, one.text, good))
    return done, refused


def oversized(http: HttpRequest) -> bool:
    """The body is announced as larger than any form of ours; it must not be read."""
    length = http.META.get("CONTENT_LENGTH") or "0"
    return not length.isdecimal() or int(length) > MAX_BODY
