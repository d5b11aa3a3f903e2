"""The few pages outside the API that links lead to: product pages and their pictures."""

from __future__ import annotations

from html import escape

from .catalogue import slugs
from .pictures import picture
from .store import Store
from .wire import Request, Response, html_response, with_base

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title></head><body><main><h1>{title}</h1>{content}</main></body></html>"""


def answer(store: Store, request: Request) -> Response:
    """A product's page with its reviews, a picture, the home page, or WordPress's 404 page."""
    parts = [part for part in request.path.split("/") if part]
    if parts[:1] == ["wp-content"] and parts[-1].endswith(".png"):
        slug = parts[-1].removesuffix(".png")
        if slug in slugs():
            return Response(200, picture(slug), {"Content-Type": "image/png", "Cache-Control": "max-age=86400"})
    if not parts:
        rows = store.storage.bodies("kind = 'product' AND status = 'publish'", order="id")
        items = "".join(f'<li><a href="{escape(row["permalink"])}">{row["name"]}</a></li>' for row in rows)
        return _page(request, store.name, f"<ul>{items}</ul>")
    if len(parts) == 2 and parts[0] == "product":
        found = store.storage.bodies(
            "kind = 'product' AND status = 'publish' AND json_extract(body, '$.slug') = ?", (parts[1],), limit=1
        )
        if found:
            product = found[0]
            reviews = store.storage.bodies(
                "kind = 'review' AND status = 'approved' AND parent = ?",
                (product["id"],),
                order="created DESC",
                limit=50,
            )
            pictures = "".join(f'<img src="{escape(one["src"])}" alt="" width="300">' for one in product["images"][:1])
            # As in WooCommerce, the text of an administrator's review is printed as it is.
            said = "".join(f"<li>{one['rating']}/5 {escape(one['reviewer'])}{one['review']}</li>" for one in reviews)
            price = f"<p>{product['price_html']}</p>"
            return _page(request, product["name"], f"{pictures}{price}{product['description']}<ul>{said}</ul>")
    return html_response(_PAGE.format(title="Page not found", content=""), status=404)


def _page(request: Request, title: str, content: str) -> Response:
    text = _PAGE.format(title=title, content=content)
    return html_response(with_base(text, request.base).replace("http://store.invalid", request.base), status=200)
