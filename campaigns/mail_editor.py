"""What the message editor works with: the page's state from its form, what a button does, and what is shown."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from campaigns import mail_drafts, mail_people, variables
from campaigns import mail_parts as parts
from campaigns.blocks import KINDS, labels
from campaigns.mail_parts import Content, Text
from campaigns.mail_people import Person
from campaigns.models import MessageTemplate
from campaigns.proofs import Proof
from postpurchase.errors import BusinessError
from stores.access import CUSTOMERS_PII, StoreRequest

LOOKS = (
    ("light", gettext_lazy("Light")),
    ("dark", gettext_lazy("Dark")),
    ("bare", gettext_lazy("Pictures off")),
    ("text", gettext_lazy("Text part")),
)
WIDTHS = (("wide", gettext_lazy("Desktop")), ("phone", gettext_lazy("Phone")))


@dataclass
class Page:
    """The editor as one request sees it."""

    template: MessageTemplate
    content: Content
    language: str
    look: str
    width: str
    who: str
    tab: str
    revision: int
    given_revision: int
    may_see_people: bool
    saved_at: Any = None
    at: str = ""
    conflict: str = ""
    more: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def person(self) -> Person:
        """Whom the preview is for."""
        return mail_people.find(self.template.store, self.who if self.may_see_people else "")

    @property
    def text(self) -> Text:
        """What is sent in the language that is open."""
        return mail_drafts.in_language(self.template.store, self.content, self.language)

    @cached_property
    def proof(self) -> Proof:
        """The mail as the person would get it, and what the checks find."""
        text = self.text
        context = mail_people.context_for(self.template, self.person, language=self.language, text=text)
        return mail_drafts.proof_of(self.template, text, context)


def page(
    request: StoreRequest, template: MessageTemplate, *, tab: str = "", form: Mapping[str, str] | None = None
) -> Page:
    """The state of the editor from the address or, when something was sent, from the form with what was typed in it."""
    opened = mail_drafts.opened(template)
    given: Mapping[str, str] = form if form is not None else request.GET
    language = given.get("lang", "")
    if language not in mail_drafts.LANGUAGES:
        language = mail_drafts.chain(template.store)[0]
    return Page(
        template=template,
        content=parts.with_form(opened.content, language, form) if form is not None else opened.content,
        language=language,
        look=_one_of(given.get("look"), LOOKS),
        width=_one_of(given.get("width"), WIDTHS),
        who=given.get("find", "").strip() or given.get("who", ""),
        tab=tab,
        revision=opened.revision,
        given_revision=int(given["revision"]) if given.get("revision", "").isdigit() else -1,
        may_see_people=CUSTOMERS_PII in request.permissions,
        saved_at=opened.saved_at,
        at=given.get("at", "")[:20],
    )


def _one_of(value: str | None, choices: tuple[tuple[str, Any], ...]) -> str:
    return value if value in dict(choices) and value else choices[0][0]


def changed(content: Content, action: str, about: str, form: Mapping[str, str]) -> tuple[Content, str]:
    """The content after a button, and the block to go on with. BusinessError `block_kind`."""
    if action == "add":
        kind = form.get("kind", "")
        if kind not in KINDS:
            raise BusinessError(_("Choose what to add. Nothing was changed."), "block_kind")
        return parts.add(content, kind, after=form.get("after", ""))
    if action in {"up", "down"}:
        return parts.move(content, about, -1 if action == "up" else 1), about
    if action == "remove":
        return parts.remove(content, about), _neighbour(content, about)
    return content, form.get("at", "") if action in {"save", "preview"} else ""


def _neighbour(content: Content, block: str) -> str:
    places = [one["id"] for one in content["blocks"]]
    rest = [one for one in places if one != block]
    return rest[min(places.index(block), len(rest) - 1)] if block in places and rest else ""


def context(page: Page) -> dict[str, Any]:
    """What the templates show."""
    proof, store = page.proof, page.template.store
    levels = {level: [one for one in proof.findings if one.level == level] for level in ("stop", "warn", "ok")}
    return {
        "proof": proof,
        "stops": levels["stop"],
        "warns": levels["warn"],
        "oks": levels["ok"],
        "languages": [_language(one, page) for one in mail_drafts.completeness(store, page.content)],
        "head": _head(page),
        "blocks": _blocks(page),
        "variables": _variables(page),
    }


def _language(one: parts.Complete, page: Page) -> dict[str, Any]:
    names = dict(settings.LANGUAGES)
    n = len(one.fallen)
    words = ""
    if one.fallen and one.to and parts.has_words(page.content, one.language):
        words = ngettext("%(n)d part falls back to %(to)s", "%(n)d parts fall back to %(to)s", n)
    elif one.fallen and one.to:
        words = _("Not written: %(to)s is sent")
    elif one.fallen:
        words = ngettext("%(n)d part is missing", "%(n)d parts are missing", n)
    return {
        "code": one.language,
        "name": names[one.language],
        "percent": one.percent,
        "words": words % {"n": n, "to": names.get(one.to, one.to)},
        "open": one.language == page.language,
    }


def _head(page: Page) -> list[dict[str, Any]]:
    own = page.content["languages"].get(page.language, {})
    shown = page.text
    return [
        {
            "name": name,
            "label": label,
            "hint": hint,
            "value": own.get(name, ""),
            "fallback": getattr(shown, name) if name in shown.fallen else "",
        }
        for name, label, hint in (
            ("subject", _("Subject"), _("Up to 50 characters, so that phones show it whole")),
            ("preheader", _("Preheader"), _("The line after the subject, 40 to 90 characters")),
        )
    ]


def _blocks(page: Page) -> list[dict[str, Any]]:
    own = page.content["languages"].get(page.language, {}).get("words", {})
    shown = page.text
    marks: dict[int, list[Any]] = {}
    for finding in page.proof.findings:
        if finding.block and finding.level != "ok":
            marks.setdefault(finding.block, []).append(finding)
    made = []
    for number, block in enumerate(page.content["blocks"], 1):
        kind = KINDS.get(block["kind"])
        label, icon, about = labels.KINDS.get(block["kind"], (block["kind"], "warn", ""))
        sent = shown.blocks[number - 1]
        words = own.get(block["id"], {})
        fields = []
        for one in kind.fields if kind else ():
            name, hint = labels.field(block["kind"], one.name)
            fallen = one.words and block["id"] in shown.fallen
            fields.append(
                {
                    "name": f"{block['id']}-{one.name}",
                    "label": name,
                    "hint": hint,
                    "widget": one.widget,
                    "value": (words if one.words else block).get(one.name, ""),
                    "shared": not one.words,
                    "required": one.required,
                    "fallback": sent.get(one.name, "") if fallen else "",
                    "choices": [(value, labels.CHOICES.get(value, value)) for value in one.choices],
                }
            )
        made.append(
            {
                "id": block["id"],
                "number": number,
                "label": label,
                "icon": icon,
                "about": about,
                "excerpt": _excerpt(sent),
                "fields": fields,
                "when": block.get("when", ""),
                "fallen": block["id"] in shown.fallen,
                "marks": marks.get(number, []),
                "first": number == 1,
                "last": number == len(page.content["blocks"]),
                "open": block["id"] == page.at or number in marks,
            }
        )
    return made


def _excerpt(block: Mapping[str, Any]) -> str:
    for name in ("text", "title", "alt", "left", "html"):
        if given := str(block.get(name) or "").strip():
            return given.replace("\n", " ")[:90]
    return ""


def _variables(page: Page) -> list[tuple[str, list[dict[str, str]]]]:
    template = page.template
    values = variables.example(template.store, language=page.language, klass=template.klass, purpose=template.purpose)
    groups: dict[str, list[dict[str, str]]] = {}
    for one in variables.known(template.purpose):
        shown = {"tag": one.tag, "meaning": str(one.meaning), "example": variables.shown(one, values)[:80]}
        groups.setdefault(one.group.partition("[")[0], []).append(shown)
    return list(groups.items())


def compared(template: MessageTemplate, before: int, after: int) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """What changed between two versions, by language; languages without a change are left out."""
    old, new = mail_drafts.texts_at(template, before), mail_drafts.texts_at(template, after)
    names = dict(settings.LANGUAGES)
    found = []
    for language in mail_drafts.LANGUAGES:
        changes = parts.differences(old.get(language), new.get(language))
        if changes:
            found.append((names[language], changes))
    return found
