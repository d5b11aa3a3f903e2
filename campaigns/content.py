"""What messages say: the library that ships with us, and a store's own versions of it."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from django.db import transaction

from campaigns.layout import compile_blocks
from campaigns.mail_parts import Text
from campaigns.models import MessageTemplate, TemplateVersion
from postpurchase.errors import BusinessError
from stores.models import Store

LIBRARY = Path(__file__).parent / "library" / "templates"


@lru_cache(maxsize=64)
def _file(name: str) -> dict[str, Any]:
    path = LIBRARY / f"{name}.yaml"
    if not path.is_file():
        raise BusinessError(f"There is no message {name!r} in the library. Nothing was changed.", "template_missing")
    loaded: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded


def names() -> list[str]:
    """The messages of the library, in order."""
    return sorted(path.name.removesuffix(".yaml") for path in LIBRARY.glob("*.yaml"))


def languages(name: str) -> tuple[str, ...]:
    """The languages in which a message of the library is written. BusinessError `template_missing`."""
    return tuple(sorted(_file(name)["languages"]))


def of(store: Store, name: str) -> MessageTemplate:
    """The store's message of this name: its own, else the library's, installed. BusinessError `template_missing`."""
    return MessageTemplate.objects.filter(store=store, name=name).first() or install(store, name)


def install(store: Store, name: str) -> MessageTemplate:
    """The store's copy of a message of the library, made with all its languages when the store has none yet.

    A second call changes nothing, so a merchant's own versions stay. BusinessError `template_missing`.
    """
    source = _file(name)
    with transaction.atomic():
        template, new = MessageTemplate.objects.get_or_create(
            store=store, name=name, defaults={"klass": source["class"], "purpose": source["purpose"]}
        )
        if new:
            for language, text in source["languages"].items():
                save_version(
                    template,
                    language=language,
                    subject=text["subject"],
                    preheader=text["preheader"],
                    blocks=text["blocks"],
                )
    return template


def texts_of(template: MessageTemplate, number: int | None = None) -> list[Text]:
    """The newest text of each language (up to a version, when its number is given), by language. One query."""
    rows = template.versions.defer("html", "text").order_by("number")
    if number is not None:
        rows = rows.filter(number__lte=number)
    return newest_of(rows)


def newest_of(rows: Iterable[TemplateVersion]) -> list[Text]:
    """The last text of each language among versions that are in the order of their numbers."""
    newest = {row.language: row for row in rows}
    return [
        Text(one.language, one.subject, one.preheader, one.blocks, one.fallen)
        for _language, one in sorted(newest.items())
    ]


def texts_of_library(name: str) -> list[Text]:
    """The texts of a message of the library. BusinessError `template_missing`."""
    languages = _file(name)["languages"].items()
    return [Text(language, one["subject"], one["preheader"], one["blocks"]) for language, one in sorted(languages)]


def class_of_library(name: str) -> tuple[str, str]:
    """Class and purpose of a message of the library. BusinessError `template_missing`."""
    return _file(name)["class"], _file(name)["purpose"]


def save_version(
    template: MessageTemplate,
    *,
    language: str,
    subject: str,
    preheader: str,
    blocks: Sequence[dict[str, Any]],
    fallen: Sequence[str] = (),
    number: int | None = None,
    actor: str = "",
) -> TemplateVersion:
    """Compile a text and make it the newest of its language; earlier versions stay as they were.

    Without a number it is the language's next. `fallen` names what stands there in another language. BusinessError `template_syntax`, `template_block` or `template_layout` names the place; nothing was saved.
    """
    compiled = compile_blocks(language, subject, preheader, blocks)
    with transaction.atomic():
        last = template.versions.filter(language=language).only("number").order_by("-number").first()
        return TemplateVersion.objects.create(
            template=template,
            language=language,
            number=number or (last.number + 1 if last else 1),
            subject=subject,
            preheader=preheader,
            blocks=list(blocks),
            fallen=list(fallen),
            made_by=actor,
            html=compiled.html,
            text=compiled.text,
        )


def version_for(template: MessageTemplate, language: str) -> TemplateVersion:
    """The newest version in the language, else in the store's, else English. BusinessError `template_missing`."""
    newest = dict(template.versions.order_by("number").values_list("language", "pk"))
    for wanted in (language, language.split("-")[0], template.store.language, "en"):
        if wanted in newest:
            return TemplateVersion.objects.get(pk=newest[wanted])
    raise BusinessError(
        f"The message {template.name} has no text yet. Nothing was sent. Write one.", "template_missing"
    )
