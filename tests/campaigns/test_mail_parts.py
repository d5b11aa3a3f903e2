"""What is edited of a message: blocks shared by all languages, words for each, fallback block by block."""

import pytest

from campaigns import content as texts
from campaigns import mail_parts as parts
from campaigns.mail_parts import Content, Text

CHAIN = ["ro", "en"]


def bilingual() -> Content:
    return parts.of_texts(
        [
            Text(
                "en",
                "Thanks",
                "We have it",
                [
                    {"kind": "heading", "text": "Thanks"},
                    {"kind": "divider"},
                    {"kind": "text", "text": "Hi", "when": "x"},
                ],
            ),
            Text(
                "ro",
                "Mulțumim",
                "Am primit",
                [{"kind": "heading", "text": "Mulțumim"}, {"kind": "divider"}, {"kind": "text", "text": "Salut"}],
            ),
        ],
        main="en",
    )


def test_languages_share_blocks_and_keep_their_words() -> None:
    content = bilingual()
    assert [(one["id"], one["kind"]) for one in content["blocks"]] == [
        ("b1", "heading"),
        ("b2", "divider"),
        ("b3", "text"),
    ]
    assert content["blocks"][2]["when"] == "x"
    assert content["languages"]["ro"]["words"] == {"b1": {"text": "Mulțumim"}, "b3": {"text": "Salut"}}
    assert parts.text_in(content, "ro", ["en"]).blocks[2] == {"id": "b3", "kind": "text", "when": "x", "text": "Salut"}


@pytest.mark.parametrize("name", texts.names())
def test_a_message_of_the_library_comes_back_from_the_editor_as_it_was(name: str) -> None:
    given = texts.texts_of_library(name)
    content = parts.of_texts(given, main="ro")
    for text in given:
        back = parts.text_in(content, text.language, CHAIN)
        assert (back.subject, back.preheader, back.fallen) == (text.subject, text.preheader, [])
        assert [{k: v for k, v in one.items() if k != "id"} for one in back.blocks] == text.blocks


def test_a_missing_block_falls_back_alone_and_is_counted() -> None:
    content = parts.with_form(bilingual(), "ro", {"b3-text": " "})
    text = parts.text_in(content, "ro", ["en"])
    assert [one.get("text") for one in text.blocks] == ["Mulțumim", None, "Hi"]
    assert text.fallen == ["b3"]
    assert parts.complete(content, "ro", ["en"]) == parts.Complete("ro", 75, ["b3"], "en")
    assert parts.complete(content, "en", ["ro"]) == parts.Complete("en", 100, [], "ro")
    assert parts.complete(content, "id", CHAIN).percent == 0


def test_a_block_half_written_falls_back_whole() -> None:
    content, block = parts.add(bilingual(), "help")
    content = parts.with_form(content, "en", {f"{block}-{name}": name for name in ("title", "text", "button")})
    content = parts.with_form(content, "ro", {f"{block}-title": "Ajutor"})
    sent = parts.text_in(content, "ro", ["en"]).blocks[-1]
    assert (sent["title"], sent["button"]) == ("title", "button")
    assert content["languages"]["ro"]["words"][block]["title"] == "Ajutor"


def test_what_fell_back_is_not_taken_for_written_when_it_is_opened_again() -> None:
    content = parts.with_form(bilingual(), "ro", {"b3-text": "", "subject": ""})
    sent = [parts.text_in(content, one, [two]) for one, two in (("ro", "en"), ("en", "ro"))]
    again = parts.of_texts(sent, main="en")
    assert parts.text_in(again, "ro", ["en"]).fallen == ["subject", "b3"]
    assert parts.complete(again, "ro", ["en"]).percent == 50


def test_blocks_are_added_moved_and_deleted_in_all_languages() -> None:
    content, block = parts.add(bilingual(), "button", after="b1")
    assert [one["id"] for one in content["blocks"]] == ["b1", "b4", "b2", "b3"]
    assert block == "b4"
    assert [one["id"] for one in parts.move(content, "b4", 1)["blocks"]] == ["b1", "b2", "b4", "b3"]
    assert parts.move(content, "b1", -1)["blocks"] == content["blocks"]
    gone = parts.remove(content, "b1")
    assert [one["id"] for one in gone["blocks"]] == ["b4", "b2", "b3"]
    assert "b1" not in gone["languages"]["ro"]["words"]
    assert [one["id"] for one in content["blocks"]] == ["b1", "b4", "b2", "b3"]  # nothing is changed in place


def test_a_form_changes_only_what_it_names() -> None:
    content = parts.with_form(
        bilingual(), "ro", {"subject": "  Salut \r\n Ana ", "b3-text": "Unu\r\nDoi", "b3-when": "order", "b9-text": "x"}
    )
    assert content["languages"]["ro"]["subject"] == "Salut Ana"
    assert content["languages"]["ro"]["words"]["b3"]["text"] == "Unu\nDoi"
    assert content["languages"]["ro"]["words"]["b1"]["text"] == "Mulțumim"
    assert content["languages"]["en"] == bilingual()["languages"]["en"]
    assert content["blocks"][2]["when"] == "order"


def test_a_block_that_only_one_language_has_is_kept() -> None:
    content = parts.of_texts(
        [Text("en", "A", "B", []), Text("ro", "A", "B", [{"kind": "text", "text": "Doar aici"}])], main="en"
    )
    assert parts.text_in(content, "en", ["ro"]).blocks == [{"id": "b1", "kind": "text", "text": "Doar aici"}]


def test_differences_are_named() -> None:
    old = parts.text_in(bilingual(), "ro", ["en"])
    changed = parts.move(parts.remove(parts.with_form(bilingual(), "ro", {"b1-text": "Bună"}), "b2"), "b3", -1)
    changed, _block = parts.add(changed, "points")
    assert parts.differences(old, parts.text_in(changed, "ro", ["en"])) == [
        ("2 heading", "text: Mulțumim", "text: Bună"),
        ("3 points", "", "–"),
        ("2 divider", "–", ""),
        ("order", "heading text", "text heading"),
    ]
    assert parts.differences(old, old) == []
