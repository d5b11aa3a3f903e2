"""What kinds of blocks and their fields are called in the editor: (name, icon, what it is for) and (name, help)."""

from typing import Any

from django.utils.translation import gettext_lazy as _

KINDS: dict[str, tuple[Any, str, Any]] = {
    "heading": (_("Heading"), "edit", _("The first line of the mail, large")),
    "text": (_("Text"), "note", _("A paragraph")),
    "button": (_("Button"), "external", _("The one thing to do, with its link in words below")),
    "link": (_("Link"), "link", _("A quiet link")),
    "image": (_("Image"), "photo", _("A picture of yours, as wide as the mail")),
    "divider": (_("Divider"), "minus", _("A line")),
    "items": (_("Order items"), "orders", _("What was bought, with pictures and totals")),
    "delivery": (_("Delivery"), "truck", _("When it arrives, where that is promised")),
    "tracking": (_("Tracking summary"), "truck", _("Each parcel with its link")),
    "products": (_("Product picks"), "sparkle", _("What else may suit: in stock, not owned, with the reason")),
    "stars": (_("Star row"), "star", _("Five stars for each item; each opens the review page")),
    "help": (_("Help"), "help", _("Something wrong? The way to help, for everybody")),
    "pair": (_("Help or rate"), "branch", _("Two buttons side by side")),
    "coupon": (_("Coupon"), "gift", _("The person’s own code and what it asks for")),
    "points": (_("Points"), "gift", _("Points and their worth; hidden when there are none")),
    "reach": (_("Reach us"), "phone", _("Phone, chat, hours: what you have named in settings")),
    "html": (_("Your own HTML"), "gear", _("Cleaned of all that acts or loads by itself")),
    "legal": (_("Legal note"), "lock", _("Small print of yours above the footer")),
}
FIELDS: dict[str, tuple[Any, Any]] = {
    "text": (_("Words"), ""),
    "title": (_("Title"), ""),
    "button": (_("Words on the button"), ""),
    "url": (_("Leads to"), _("An address with https://, or a variable such as {{ links.help }}")),
    "left": (_("Words on the left"), ""),
    "left_url": (_("The left leads to"), ""),
    "right": (_("Words on the right"), ""),
    "right_url": (_("The right leads to"), ""),
    "src": (_("Address of the picture"), _("With https://, at least 536 pixels wide")),
    "alt": (_("Words for those who do not see the picture"), ""),
    "html": (_("HTML"), _("Tables, words, links and pictures stay; scripts, forms and styles of other pages do not")),
    "tone": (_("Looks"), ""),
    "when": (_("Only when"), _("A variable that must be there, such as order.cash_due. Empty: always.")),
}
CHOICES: dict[str, Any] = {"normal": _("Normal"), "soft": _("Soft"), "small": _("Small")}
# The text of an HTML block is its written twin.
TWIN = (_("The same in words, for the text part"), "")


def field(kind: str, name: str) -> tuple[str, str]:
    """Label and help of a field."""
    label, hint = TWIN if (kind, name) == ("html", "text") else FIELDS[name]
    return str(label), str(hint)
