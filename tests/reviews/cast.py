"""A delivered order of three products, and its review request."""

from io import BytesIO
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from reviews import asking
from reviews.models import ReviewRequest
from reviews.submission import Answer
from stores.models import Order, Store
from tests.factories import make_customer, make_order, make_product, make_store

NAMES = ("Marea mug, cobalt blue", "Serving bowl, sand glaze", "Slip vase, terracotta")


def order_of_three(store: Store | None = None, **fields: Any) -> Order:
    store = store or make_store(language="en")
    customer = fields.pop("customer", None) or make_customer(store, first_name="Ana", last_name="Pop", language="en")
    goods = [(make_product(store, name=name), 1) for name in NAMES]
    return make_order(store, customer, items=goods, language="en", number="1042", **fields)


def asked(store: Store | None = None, **fields: Any) -> ReviewRequest:
    order = order_of_three(store, **fields)
    return asking.ask(order.store, order)


def answer(request: ReviewRequest, place: int = 0, *, rating: int = 4, **said: Any) -> Answer:
    """An answer for the item at a place of the order."""
    return Answer(line_id=asking.reviewable(request.order)[place].line.woo_id, rating=rating, **said)


def upload(name: str = "mug.jpg") -> SimpleUploadedFile:
    out = BytesIO()
    Image.new("RGB", (640, 480), (60, 90, 160)).save(out, "JPEG")
    return SimpleUploadedFile(name, out.getvalue(), "image/jpeg")
