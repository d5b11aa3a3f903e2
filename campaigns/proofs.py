"""A text on proof: compiled, filled with examples or for a real person, and checked. Nothing is written or sent."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Prefetch
from django.utils.translation import gettext as _

from campaigns import checks_mail, content, layout, rendering, variables
from campaigns.blocks import KINDS, Block, empty_fields, fault, labels
from campaigns.checks_mail import STOP, Finding, Mail
from campaigns.mail_parts import Text
from campaigns.models import TemplateVersion
from campaigns.rendering import Rendered
from postpurchase.errors import BusinessError
from stores.models import Store


@dataclass(frozen=True)
class Proof:
    """The mail when it could be written, and what was found."""

    rendered: Rendered | None
    findings: list[Finding]

    @property
    def stops(self) -> list[Finding]:
        return checks_mail.stops(self.findings)


def proof(
    store: Store,
    *,
    klass: str,
    purpose: str,
    language: str,
    subject: str,
    preheader: str,
    blocks: Sequence[Block],
    context: Mapping[str, Any] | None = None,
) -> Proof:
    """Compile and fill a text, with examples unless `context` is given. What cannot be written is a finding, never an error."""
    broken = [
        Finding(STOP, "block", words, number) for number, block in enumerate(blocks, 1) if (words := _broken(block))
    ]
    if broken:
        return Proof(None, broken)
    values = context or variables.example(store, language=language, klass=klass, purpose=purpose)
    try:
        compiled = layout.compile_blocks(language, subject, preheader, blocks)
        rendered = rendering.fill(subject, preheader, compiled.html, compiled.text, values)
    except BusinessError as refusal:
        return Proof(None, [Finding(STOP, refusal.code, refusal.message)])
    unsubscribe = values["links"].get("unsubscribe")
    found = checks_mail.check(Mail(klass, language, blocks, rendered, unsubscribe))
    return Proof(rendered, found)


def _broken(block: Block) -> str:
    """What is wrong with the shape of a block, in the editor's words; empty when it can be built."""
    if str(block.get("kind")) in KINDS and (missing := empty_fields(block)):
        names = ", ".join(labels.field(str(block["kind"]), name)[0] for name in missing)
        return _("Still empty: %(fields)s.") % {"fields": names}
    wrong = fault(block)
    return _("It %(wrong)s.") % {"wrong": wrong} if wrong else ""


def faults(store: Store, name: str) -> list[str]:
    """What keeps a store's message from going out, a sentence for each fault; empty when it may."""
    return faults_of(store, [name])[name]


def faults_of(store: Store, names: Iterable[str]) -> dict[str, list[str]]:
    """The same for several messages, by name; for publishing a flow. Two queries.

    A message that only the library has yet is taken as the library has it.
    """
    wanted = list(dict.fromkeys(names))
    versions = TemplateVersion.objects.defer("html", "text").order_by("number")
    rows = store.message_templates.filter(name__in=wanted).prefetch_related(Prefetch("versions", versions))
    own = {template.name: template for template in rows}
    found = {}
    for name in wanted:
        template = own.get(name)
        try:
            texts = content.newest_of(template.versions.all()) if template else content.texts_of_library(name)
            klass, purpose = (template.klass, template.purpose) if template else content.class_of_library(name)
        except BusinessError as refusal:
            found[name] = [refusal.message]
            continue
        found[name] = _told(store, name, klass, purpose, texts)
    return found


def _told(store: Store, name: str, klass: str, purpose: str, texts: Sequence[Text]) -> list[str]:
    if not texts:
        return [_("The message “%(name)s” has no text yet. Write one.") % {"name": name}]
    told: dict[str, None] = {}
    for text in texts:
        found = proof(
            store,
            klass=klass,
            purpose=purpose,
            language=text.language,
            subject=text.subject,
            preheader=text.preheader,
            blocks=text.blocks,
        )
        for one in found.stops:
            where = _("block %(n)d: ") % {"n": one.block} if one.block else ""
            words = {"name": name, "language": text.language, "where": where, "words": one.words}
            told.setdefault(_("Message “%(name)s”, %(language)s, %(where)s%(words)s") % words)
    return list(told)
