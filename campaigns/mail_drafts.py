"""Editing a message: the draft that nothing is sent from, putting it to use, its versions and going back to them."""

import copy
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from campaigns import content as texts
from campaigns import mail_parts as parts
from campaigns.mail_parts import Complete, Content, Text
from campaigns.models import MessageTemplate, TemplateDraft
from campaigns.models.flows import Flow
from campaigns.proofs import Proof, proof
from campaigns.steps.send_email import PURPOSES
from postpurchase import clock
from postpurchase.errors import BusinessError
from stores import audit
from stores.models import Store, User

LANGUAGES = [code for code, _name in settings.LANGUAGES]


@dataclass(frozen=True)
class Opened:
    """A message as it is edited; `revision` 0 when nothing has been changed since the last version."""

    template: MessageTemplate
    content: Content
    revision: int
    saved_at: datetime | None = None
    saved_by: str = ""


def chain(store: Store) -> list[str]:
    """Where a language takes what it lacks from: the store's own, then English, then any."""
    first = [store.language.split("-")[0], "en"]
    return list(dict.fromkeys([*first, *LANGUAGES]))


def opened(template: MessageTemplate) -> Opened:
    """The draft when there is one, else the newest texts. Nothing is written."""
    draft = TemplateDraft.objects.filter(template=template).first()
    if draft:
        return Opened(template, draft.content, draft.revision, draft.saved_at, draft.saved_by)
    return Opened(template, _content_of(template), 0)


def _content_of(template: MessageTemplate, number: int | None = None) -> Content:
    return parts.of_texts(texts.texts_of(template, number), main=template.store.language.split("-")[0])


def save(
    template: MessageTemplate, content: Content, *, revision: int, tab: str, actor: User, force: bool = False
) -> int:
    """Keep what is edited; the new revision. BusinessError `draft_changed` when another tab has saved meanwhile.

    `revision` and `tab` are those of the page that saves; `force` takes its word over the other's.
    """
    with transaction.atomic():
        MessageTemplate.objects.select_for_update().get(pk=template.pk)
        draft = TemplateDraft.objects.filter(template=template).first() or TemplateDraft(template=template, revision=0)
        if draft.revision != revision and draft.tab != tab and not force:
            who = draft.saved_by if draft.pk else _("somebody who put it to use or threw it away")
            raise BusinessError(
                _(
                    "This message was changed in another window meanwhile, by %(who)s. Nothing was saved and nothing is "
                    "lost: what you wrote still stands here. Keep yours, or open the other."
                )
                % {"who": who},
                "draft_changed",
            )
        if draft.pk and draft.content == content:
            return draft.revision
        draft.content, draft.revision, draft.tab = content, draft.revision + 1, tab[:32]
        draft.saved_by, draft.saved_at = actor.email, clock.now()
        draft.save()
    return draft.revision


def discard(template: MessageTemplate, *, actor: User) -> None:
    """Throw away what was edited since the last version."""
    with transaction.atomic():
        if TemplateDraft.objects.filter(template=template).delete()[0]:
            audit.record(template.store, "message.discard", actor=actor, target=template.name)


def completeness(store: Store, content: Content) -> list[Complete]:
    """Each language of the installation, how far it is written."""
    order = chain(store)
    return [parts.complete(content, language, [one for one in order if one != language]) for language in LANGUAGES]


def in_language(store: Store, content: Content, language: str) -> Text:
    """The text as it would be sent in a language."""
    return parts.text_in(content, language, [one for one in chain(store) if one != language])


def proof_of(template: MessageTemplate, text: Text, context: dict[str, Any] | None = None) -> Proof:
    """The text on proof: rendered and checked."""
    return proof(
        template.store,
        klass=template.klass,
        purpose=template.purpose,
        language=text.language,
        subject=text.subject,
        preheader=text.preheader,
        blocks=text.blocks,
        context=context,
    )


def written(template: MessageTemplate, content: Content) -> list[str]:
    """The languages that will get a version: those with words, and those that had one."""
    had = set(template.versions.values_list("language", flat=True))
    return [one for one in LANGUAGES if one in had or parts.has_words(content, one)]


def use(template: MessageTemplate, *, revision: int, actor: User) -> int:
    """Make what is edited the text that is sent from now on, in all its languages; the version's number.

    BusinessError `draft_changed`, `draft_none` when nothing was changed, `message_faults` when a check stops it.
    """
    store = template.store
    with transaction.atomic():
        MessageTemplate.objects.select_for_update().get(pk=template.pk)
        draft = TemplateDraft.objects.filter(template=template).first()
        if draft is None:
            raise BusinessError(_("Nothing has been changed since the last version. Nothing was done."), "draft_none")
        if draft.revision != revision:
            raise BusinessError(
                _("This message was changed meanwhile. Nothing was put to use. Look at it and try again."),
                "draft_changed",
            )
        faults = []
        ready = []
        for language in written(template, draft.content):
            text = in_language(store, draft.content, language)
            ready.append(text)
            faults += [f"{language}: {one.words}" for one in proof_of(template, text).stops]
        if faults or not ready:
            said = " ".join(dict.fromkeys(faults)) or _("It says nothing yet.")
            raise BusinessError(
                _("Not put to use; your work is kept. Mend this first: %(said)s") % {"said": said}, "message_faults"
            )
        newest = template.versions.order_by("-number").values_list("number", flat=True).first() or 0
        for text in ready:
            texts.save_version(
                template,
                language=text.language,
                subject=text.subject,
                preheader=text.preheader,
                blocks=text.blocks,
                fallen=text.fallen,
                number=newest + 1,
                actor=actor.email,
            )
        draft.delete()
        audit.record(store, "message.use", actor=actor, target=template.name, diff={"version": newest + 1})
    return newest + 1


@dataclass(frozen=True)
class Version:
    """One number of a message: when, by whom, and which languages got a text then."""

    number: int
    at: datetime
    by: str
    languages: list[str]


def versions(template: MessageTemplate) -> list[Version]:
    """All versions, the newest first. One query."""
    found: dict[int, Version] = {}
    rows = template.versions.order_by("-number", "language").values_list("number", "created_at", "made_by", "language")
    for number, at, by, language in rows:
        found.setdefault(number, Version(number, at, by, [])).languages.append(language)
    return list(found.values())


def texts_at(template: MessageTemplate, number: int) -> dict[str, Text]:
    """What the message said in each language while a version was in use; number 0 is what is edited now."""
    content = _content_of(template, number) if number else opened(template).content
    had = set(template.versions.filter(number__lte=number).values_list("language", flat=True))
    languages = [one for one in LANGUAGES if one in had] if number else written(template, content)
    return {one: in_language(template.store, content, one) for one in languages}


def restore(template: MessageTemplate, number: int, *, tab: str, actor: User) -> None:
    """Edit an earlier version again. Nothing is sent from it until it is put to use. BusinessError `draft_changed`."""
    if not template.versions.filter(number=number).exists():
        raise BusinessError(_("There is no version %(n)d. Nothing was changed.") % {"n": number}, "version_missing")
    save(template, copy.deepcopy(_content_of(template, number)), revision=0, tab=tab, actor=actor)
    audit.record(template.store, "message.restore", actor=actor, target=template.name, diff={"version": number})


def new(store: Store, *, title: str, klass: str, purpose: str, like: str, actor: User) -> MessageTemplate:
    """A message of the merchant's own, empty or like one of the library or of the store (`like` is its name).

    BusinessError `message_title` or `message_class` says what is wrong; nothing was made.
    """
    title = " ".join(title.split())[:120]
    if not title:
        raise BusinessError(_("Give the message a name. Nothing was made."), "message_title")
    if klass not in Flow.Klass.values or purpose not in PURPOSES:
        raise BusinessError(_("Choose a class and a purpose. Nothing was made."), "message_class")
    content = _content_like(store, like) if like else parts.empty()
    with transaction.atomic():
        stem = f"own.{re.sub(r'[^a-z0-9]+', '_', slugify(title)).strip('_')[:40] or 'message'}"
        taken = set(store.message_templates.filter(name__startswith=stem).values_list("name", flat=True))
        name = next(one for n in range(1, 10_000) if (one := stem if n == 1 else f"{stem}_{n}") not in taken)
        template = MessageTemplate.objects.create(store=store, name=name, title=title, klass=klass, purpose=purpose)
        TemplateDraft.objects.create(template=template, content=content, saved_by=actor.email)
        audit.record(store, "message.new", actor=actor, target=name)
    return template


def _content_like(store: Store, name: str) -> Content:
    own = store.message_templates.filter(name=name).first()
    if own:
        return copy.deepcopy(opened(own).content)
    return parts.of_texts(texts.texts_of_library(name), main=store.language.split("-")[0])
