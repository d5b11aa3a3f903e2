"""What is edited of a message: blocks that all languages share, and the words of each language beside them. Pure functions.

`{"blocks": [{id, kind, when, url, ...}], "languages": {"en": {"subject", "preheader", "words": {id: {field: words}}}}}`.
A block without all its words in a language is shown there in the first language of the chain that has them.
"""

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from campaigns import blocks as kinds
from campaigns.blocks import KINDS

Content = dict[str, Any]
HEAD = ("subject", "preheader")


@dataclass(frozen=True)
class Text:
    """What a message says in one language, as it was written; `fallen` names the parts that are another language's."""

    language: str
    subject: str
    preheader: str
    blocks: list[dict[str, Any]]
    fallen: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Complete:
    """How much of a message is written in a language, in percent; the parts that fall back, and to which language."""

    language: str
    percent: int
    fallen: list[str]
    to: str


def empty() -> Content:
    """A message that says nothing yet."""
    return {"blocks": [], "languages": {}}


def _words_of(kind: str) -> list[str]:
    return [one.name for one in KINDS[kind].fields if one.words] if kind in KINDS else []


def of_texts(texts: Sequence[Text], *, main: str) -> Content:
    """Bring the texts of all languages together: the main language's blocks, the others' words matched to them.

    Blocks are matched by id, without ids by their kind and its place among its kind. What matches nothing is kept at the
    end, so that no word is lost.
    """
    content = empty()
    order = sorted(texts, key=lambda text: (text.language != main, text.language != "en", text.language))
    for text in order:
        own: Content = {"subject": "", "preheader": "", "words": {}}
        own |= {name: getattr(text, name) for name in HEAD if name not in text.fallen}
        taken: set[str] = set()
        for block in text.blocks:
            found = _match(content["blocks"], block, taken)
            if found is None:
                found = {"id": _fresh(content["blocks"], block.get("id"))}
                found |= {k: v for k, v in block.items() if k not in {"id", *_words_of(str(block.get("kind")))}}
                content["blocks"].append(found)
            taken.add(found["id"])
            if found["id"] not in text.fallen:
                names = _words_of(found["kind"])
                if names:
                    own["words"][found["id"]] = {name: str(block.get(name) or "") for name in names}
        content["languages"][text.language] = own
    return content


def _match(have: Iterable[dict[str, Any]], block: Mapping[str, Any], taken: set[str]) -> dict[str, Any] | None:
    free = [one for one in have if one["id"] not in taken and one["kind"] == block.get("kind")]
    if wanted := block.get("id"):
        return next((one for one in free if one["id"] == wanted), None)
    return free[0] if free else None


def _fresh(have: Sequence[Mapping[str, Any]], wanted: object = None) -> str:
    used = {one["id"] for one in have}
    if isinstance(wanted, str) and wanted and wanted not in used:
        return wanted
    numbers = [int(one[1:]) for one in used if one[:1] == "b" and one[1:].isdigit()]
    return f"b{max(numbers, default=0) + 1}"


def text_in(content: Content, language: str, chain: Sequence[str]) -> Text:
    """The whole text in a language, what it lacks from the first language of the chain that has it."""
    fallen: list[str] = []
    head: dict[str, str] = {}
    for name in HEAD:
        head[name] = _head(content, language, name)
        if not head[name].strip():
            head[name] = next((given for one in chain if (given := _head(content, one, name)).strip()), "")
            fallen.append(name)
    blocks = []
    for block in content["blocks"]:
        words = _whole(content, language, block)
        if words is None:
            fallen.append(block["id"])
            own = _words(content, language, block)
            words = next((whole for one in chain if (whole := _whole(content, one, block)) is not None), own)
        blocks.append({name: value for name, value in (block | words).items() if value != ""})
    return Text(language, head["subject"], head["preheader"], blocks, fallen)


def _head(content: Content, language: str, name: str) -> str:
    return str(content["languages"].get(language, {}).get(name) or "")


def _words(content: Content, language: str, block: Mapping[str, Any]) -> dict[str, str]:
    return dict(content["languages"].get(language, {}).get("words", {}).get(block["id"], {}))


def _whole(content: Content, language: str, block: Mapping[str, Any]) -> dict[str, str] | None:
    """The words of a block when all that must be written is; None when a part is missing."""
    words = _words(content, language, block)
    needed = KINDS[block["kind"]].words if block["kind"] in KINDS else ()
    return words if all(words.get(name, "").strip() for name in needed) else None


def complete(content: Content, language: str, chain: Sequence[str]) -> Complete:
    """How far a language is written; blocks without words count for nothing."""
    text = text_in(content, language, chain)
    parts = [*HEAD, *(one["id"] for one in content["blocks"] if one["kind"] in KINDS and KINDS[one["kind"]].words)]
    fallen = [part for part in text.fallen if part in parts]
    done = len(parts) - len(fallen)
    to = next((one for one in chain if one != language and one in content["languages"]), "")
    return Complete(language, done * 100 // len(parts), fallen, to)


def has_words(content: Content, language: str) -> bool:
    """Whether anything is written in the language."""
    own = content["languages"].get(language, {})
    words = [value for given in own.get("words", {}).values() for value in given.values()]
    return any(str(value).strip() for value in [own.get("subject"), own.get("preheader"), *words] if value)


def add(content: Content, kind: str, *, after: str = "") -> tuple[Content, str]:
    """The content with a new block after another ("-": first, "": last), and its id. KeyError for an unknown kind."""
    made = copy.deepcopy(content)
    block = {"id": _fresh(made["blocks"]), "kind": KINDS[kind].name}
    places = [one["id"] for one in made["blocks"]]
    place = 0 if after == "-" else places.index(after) + 1 if after in places else len(places)
    made["blocks"].insert(place, block)
    return made, block["id"]


def move(content: Content, block: str, step: int) -> Content:
    """The content with a block moved up (-1) or down (1); at the end of the list nothing changes."""
    made = copy.deepcopy(content)
    places = [one["id"] for one in made["blocks"]]
    if block in places:
        place = places.index(block)
        target = min(max(place + step, 0), len(places) - 1)
        made["blocks"].insert(target, made["blocks"].pop(place))
    return made


def remove(content: Content, block: str) -> Content:
    """The content without a block, in all languages."""
    made = copy.deepcopy(content)
    made["blocks"] = [one for one in made["blocks"] if one["id"] != block]
    for own in made["languages"].values():
        own.get("words", {}).pop(block, None)
    return made


def with_form(content: Content, language: str, form: Mapping[str, str]) -> Content:
    """The content with what a form says: `subject`, `preheader`, and `<block>-<field>` for each field of a block.

    What the form does not name stays. Line ends become those of texts.
    """
    made = copy.deepcopy(content)
    own = made["languages"].setdefault(language, {"subject": "", "preheader": "", "words": {}})
    for name in HEAD:
        if name in form:
            own[name] = " ".join(form[name].split())[:255]
    for block in made["blocks"]:
        if block["kind"] not in KINDS:
            continue
        for one in KINDS[block["kind"]].fields:
            given = form.get(f"{block['id']}-{one.name}")
            if given is None:
                continue
            given = given.replace("\r\n", "\n").strip()
            if one.words:
                own["words"].setdefault(block["id"], {})[one.name] = given
            elif one.choices and given == one.choices[0]:
                block.pop(one.name, None)  # the usual is not written down
            else:
                block[one.name] = given
        if (when := form.get(f"{block['id']}-when")) is not None:
            block["when"] = when.strip()
    return made


def differences(old: Text | None, new: Text | None) -> list[tuple[str, str, str]]:
    """What changed between two texts of a language: (what, before, after), a block named by its number and kind."""
    found: list[tuple[str, str, str]] = []
    for name in HEAD:
        before, after = (str(getattr(text, name)) if text else "" for text in (old, new))
        if before != after:
            found.append((name, before, after))
    have = {_key(place, one): (place, one) for place, one in enumerate(old.blocks if old else [], 1)}
    want = {_key(place, one): (place, one) for place, one in enumerate(new.blocks if new else [], 1)}
    for key, (place, block) in want.items():
        if key not in have:
            found.append((_named(place, block), "", _said(block)))
        elif _said(have[key][1]) != _said(block):
            found.append((_named(place, block), _said(have[key][1]), _said(block)))
    found += [(_named(place, block), _said(block), "") for key, (place, block) in have.items() if key not in want]
    kept = [key for key in want if key in have]
    if kept != [key for key in have if key in want]:
        before, after = (
            " ".join(str(want[key][1]["kind"]) for key in keys) for keys in ([k for k in have if k in want], kept)
        )
        found.append(("order", before, after))
    return found


def _key(place: int, block: Mapping[str, Any]) -> str:
    return str(block.get("id") or f"{block.get('kind')}{place}")


def _named(place: int, block: Mapping[str, Any]) -> str:
    return f"{place} {block.get('kind')}"


def _said(block: Mapping[str, Any]) -> str:
    parts = [f"{name}: {value}" for name, value in block.items() if name not in {"id", "kind"} and value]
    return "\n".join(parts) or kinds.fault(block) or "–"
