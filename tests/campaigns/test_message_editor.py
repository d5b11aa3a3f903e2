"""The message editor: every press keeps the work, nothing is sent until it is put to use, two windows do not undo each other."""

import re
from typing import Any

import pytest
from django.core import mail as outgoing
from django.test import Client
from django.urls import reverse

from campaigns import content, library, mail_drafts, mail_tests
from campaigns import drafts as flow_drafts
from campaigns.models import Consent, CountedLink, Message, MessageTemplate, SentLedger, TemplateDraft, TemplateVersion
from stores.models import AuditEvent, Event, Store, User
from tests.campaigns.mails import ana, lut, pots
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def store() -> Store:
    return lut(language="ro")


@pytest.fixture
def owner(store: Store) -> User:
    return make_user(store, email="ioana@example.com")


@pytest.fixture
def client(owner: User) -> Client:
    made = Client()
    made.force_login(owner)
    return made


@pytest.fixture
def thanks(store: Store) -> MessageTemplate:
    return content.install(store, "R01.thank_you")


def where(template: MessageTemplate, name: str = "message_edit") -> str:
    return reverse(name, args=[template.store.slug, template.pk])


def hidden(html: str) -> dict[str, str]:
    return {
        name: re.search(rf'name="{name}"[^>]*value="([^"]*)"', html).group(1) for name in ("revision", "tab", "lang")
    }  # type: ignore[union-attr]


def opened(client: Client, template: MessageTemplate, **query: str) -> dict[str, str]:
    return hidden(client.get(where(template), query).content.decode())


def test_the_list_shows_languages_and_class(client: Client, thanks: MessageTemplate) -> None:
    html = client.get(reverse("messages", args=["lut"])).content.decode()
    assert "Thank you" in html
    assert "en, id, ro" in html


def test_the_list_costs_the_same_for_one_and_for_ten(
    client: Client, store: Store, thanks: MessageTemplate, django_assert_num_queries: Any
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    url = reverse("messages", args=["lut"])
    client.get(url)
    with CaptureQueriesContext(connection) as few:
        client.get(url)
    for name in content.names():
        content.install(store, name)
    with django_assert_num_queries(len(few)):
        client.get(url)


def test_opening_writes_nothing(client: Client, thanks: MessageTemplate) -> None:
    answer = client.get(where(thanks))
    assert answer.status_code == 200
    assert not TemplateDraft.objects.exists()
    assert "Română 100" in answer.content.decode()
    assert not Consent.objects.exists()


def test_typing_and_any_button_keep_the_work_and_send_nothing(client: Client, thanks: MessageTemplate) -> None:
    page = opened(client, thanks)
    answer = client.post(where(thanks), page | {"do": "save", "subject": "Salut, Ana", "b1-text": "Bună"})
    assert answer.status_code == 302
    draft = TemplateDraft.objects.get()
    assert draft.content["languages"]["ro"]["subject"] == "Salut, Ana"
    assert draft.content["languages"]["ro"]["words"]["b1"]["text"] == "Bună"
    assert (draft.revision, draft.saved_by) == (1, "ioana@example.com")
    assert content.version_for(thanks, "ro").subject != "Salut, Ana"


def test_a_language_is_changed_without_losing_what_was_typed(client: Client, thanks: MessageTemplate) -> None:
    answer = client.post(where(thanks), opened(client, thanks) | {"do": "lang:id", "subject": "Salut"})
    assert "lang=id" in answer["Location"]
    assert TemplateDraft.objects.get().content["languages"]["ro"]["subject"] == "Salut"


def test_blocks_are_added_moved_and_deleted_by_buttons(client: Client, thanks: MessageTemplate) -> None:
    def kinds() -> list[str]:
        return [one["kind"] for one in TemplateDraft.objects.get().content["blocks"]][:3]

    client.post(where(thanks), opened(client, thanks) | {"do": "add", "kind": "image", "after": "b1"})
    assert kinds() == ["heading", "image", "text"]
    made = next(one["id"] for one in TemplateDraft.objects.get().content["blocks"] if one["kind"] == "image")
    answer = client.post(where(thanks), opened(client, thanks) | {"do": f"up:{made}"})
    assert answer["Location"].endswith(f"#at-{made}")
    assert kinds() == ["image", "heading", "text"]
    client.post(where(thanks), opened(client, thanks) | {"do": "add", "kind": "divider", "after": "-"})
    assert kinds() == ["divider", "image", "heading"]
    client.post(where(thanks), opened(client, thanks) | {"do": f"remove:{made}"})
    assert kinds() == ["divider", "heading", "text"]
    client.post(where(thanks), opened(client, thanks) | {"do": "add", "kind": "nothing"})
    assert kinds() == ["divider", "heading", "text"]


def test_a_second_window_is_refused_and_its_words_stay_on_the_page(client: Client, thanks: MessageTemplate) -> None:
    one, other = opened(client, thanks), opened(client, thanks)
    client.post(where(thanks), one | {"do": "save", "subject": "From the first"})
    answer = client.post(where(thanks), other | {"do": "save", "subject": "From the second"})
    assert answer.status_code == 409
    html = answer.content.decode()
    assert "was changed in another window meanwhile, by ioana@example.com" in html
    assert 'value="From the second"' in html
    assert TemplateDraft.objects.get().content["languages"]["ro"]["subject"] == "From the first"

    live = client.post(where(thanks, "message_live"), other | {"subject": "From the second"}).content.decode()
    assert "was changed in another window" in live
    assert "hx-swap-oob" not in live
    assert TemplateDraft.objects.get().content["languages"]["ro"]["subject"] == "From the first"

    client.post(where(thanks), hidden(html) | {"do": "overwrite", "subject": "From the second"})
    assert TemplateDraft.objects.get().content["languages"]["ro"]["subject"] == "From the second"


def test_one_window_goes_on_though_an_answer_was_lost(client: Client, thanks: MessageTemplate) -> None:
    page = opened(client, thanks)
    for words in ("Sal", "Salut"):
        # The page still has its first revision, but it is the one that wrote last.
        client.post(where(thanks, "message_live"), page | {"subject": words})
    assert TemplateDraft.objects.get().content["languages"]["ro"]["subject"] == "Salut"


def test_putting_to_use_makes_the_next_version_in_all_languages(
    client: Client, store: Store, thanks: MessageTemplate
) -> None:
    client.post(
        where(thanks),
        opened(client, thanks) | {"do": "save", "subject": "Mulțumim, comanda {{ order.number }}", "b2-text": ""},
    )
    client.post(where(thanks), opened(client, thanks) | {"do": "use"})
    assert not TemplateDraft.objects.exists()
    newest = {one.language: one for one in TemplateVersion.objects.filter(number=2)}
    assert sorted(newest) == ["en", "id", "ro"]
    assert newest["ro"].subject == "Mulțumim, comanda {{ order.number }}"
    assert newest["ro"].fallen == ["b2"]
    assert newest["ro"].blocks[1]["text"] == newest["en"].blocks[1]["text"]
    assert newest["ro"].made_by == "ioana@example.com"
    assert AuditEvent.objects.filter(store=store, action="message.use", target="R01.thank_you").count() == 1
    assert "English" in client.get(where(thanks), {"lang": "ro"}).content.decode()


def test_what_a_check_stops_is_not_put_to_use_and_not_lost(client: Client, thanks: MessageTemplate) -> None:
    client.post(where(thanks), opened(client, thanks) | {"do": "save", "b1-text": "Bună {{ order.nope }}"})
    answer = client.post(where(thanks), opened(client, thanks) | {"do": "use"}, follow=True)
    assert "order.nope is undefined" in answer.content.decode()
    assert thanks.versions.filter(number=2).count() == 0
    assert TemplateDraft.objects.get().content["languages"]["ro"]["words"]["b1"]["text"] == "Bună {{ order.nope }}"


def test_changes_are_thrown_away_on_request(client: Client, thanks: MessageTemplate) -> None:
    client.post(where(thanks), opened(client, thanks) | {"do": "save", "subject": "Salut"})
    client.post(where(thanks), opened(client, thanks) | {"do": "discard"})
    assert not TemplateDraft.objects.exists()


def test_typing_answers_with_preview_and_checks(client: Client, thanks: MessageTemplate) -> None:
    answer = client.post(where(thanks, "message_live"), opened(client, thanks) | {"preheader": ""})
    html = answer.content.decode()
    assert "<!doctype" not in html.lower()
    assert 'id="revision" value="1" hx-swap-oob="true"' in html
    typed = client.post(where(thanks, "message_live"), opened(client, thanks) | {"subject": "x" * 60})
    assert "The subject has 60 characters" in typed.content.decode()


def test_the_frame_is_inert_and_can_do_without_pictures(client: Client, store: Store, thanks: MessageTemplate) -> None:
    answer = client.get(where(thanks, "message_frame"), {"lang": "ro"})
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox allow-popups" in policy
    assert "script-src" not in policy
    assert "img-src 'self'" in policy
    bare = client.get(where(thanks, "message_frame"), {"lang": "ro", "look": "bare"})
    assert "img-src 'none'" in bare["Content-Security-Policy"]
    dark = client.get(where(thanks, "message_frame"), {"look": "dark"}).content.decode()
    assert "@media all" in dark


def test_the_preview_is_that_of_a_chosen_person_and_writes_nothing(client: Client, store: Store) -> None:
    order = pots(store, ana(store, first_name="Mirela"))
    asked = content.install(store, "R06.review_request")
    before = (Consent.objects.count(), Message.objects.count(), CountedLink.objects.count(), Event.objects.count())
    html = client.get(where(asked, "message_frame"), {"lang": "en", "who": f"o{order.pk}"}).content.decode()
    assert "Mirela" in html
    assert "Serving bowl, sand glaze" in html
    assert "/u/preview/" in html
    found = client.get(where(asked, "message_frame"), {"lang": "en", "find": "#1042"}).content.decode()
    assert "Mirela" in found
    assert before == (
        Consent.objects.count(),
        Message.objects.count(),
        CountedLink.objects.count(),
        Event.objects.count(),
    )


def test_a_persons_name_that_is_markup_is_inert_in_the_preview(
    client: Client, store: Store, thanks: MessageTemplate
) -> None:
    order = pots(store, ana(store, first_name="<script>alert(1)</script>", last_name="\u202ex\r\nBcc: a@b.c"))
    page = client.get(where(thanks), {"who": f"o{order.pk}"}).content.decode()
    frame = client.get(where(thanks, "message_frame"), {"who": f"o{order.pk}"}).content.decode()
    assert "<script>alert" not in page + frame


def test_a_test_goes_to_me_alone_and_is_never_counted(client: Client, store: Store, thanks: MessageTemplate) -> None:
    order = pots(store, ana(store))
    asked = content.install(store, "R06.review_request")
    for template in (thanks, asked, asked):
        client.post(where(template), opened(client, template, lang="en") | {"do": "test", "who": f"o{order.pk}"})
    assert [one.to for one in outgoing.outbox] == [["ioana@example.com"]] * 3
    assert all(re.search(r" \[test [0-9a-f]{4}\]$", one.subject) for one in outgoing.outbox)
    assert outgoing.outbox[1].subject != outgoing.outbox[2].subject
    assert all(one.extra_headers[mail_tests.HEADER] == "1" for one in outgoing.outbox)
    assert all("List-Unsubscribe" not in one.extra_headers for one in outgoing.outbox)
    assert outgoing.outbox[0].message().as_bytes().count(b"\nSubject:") == 1
    assert not Message.objects.exists()
    assert not SentLedger.objects.exists()
    assert not Event.objects.filter(name__startswith="message.").exists()
    assert not Consent.objects.exists()


def test_an_earlier_version_is_compared_and_restored(client: Client, thanks: MessageTemplate) -> None:
    first = content.version_for(thanks, "ro").subject
    client.post(where(thanks), opened(client, thanks) | {"do": "save", "subject": "Salut"})
    client.post(where(thanks), opened(client, thanks) | {"do": "use"})
    html = client.get(where(thanks, "message_versions")).content.decode()
    # The subject alone has changed, though the blocks of the library have no ids.
    assert re.findall(r'<td class="is">(.*?)</td>', html, re.DOTALL) == ["Salut"]
    assert client.get(where(thanks, "message_versions"), {"from": "7"}).status_code == 404
    client.post(where(thanks, "message_versions"), {"number": "1"})
    assert TemplateDraft.objects.get().content["languages"]["ro"]["subject"] == first
    assert content.version_for(thanks, "ro").subject == "Salut"
    client.post(where(thanks, "message_versions"), {"number": "99"})
    assert TemplateDraft.objects.get().revision == 1


def test_a_restored_version_does_not_undo_what_is_being_edited(client: Client, thanks: MessageTemplate) -> None:
    client.post(where(thanks), opened(client, thanks) | {"do": "save", "subject": "Salut"})
    client.post(where(thanks, "message_versions"), {"number": "1"})
    assert TemplateDraft.objects.get().content["languages"]["ro"]["subject"] == "Salut"


@pytest.mark.parametrize("like", ["", "R06.reminder"])
def test_a_message_of_ones_own_can_be_written_and_sent(client: Client, store: Store, like: str) -> None:
    client.post(
        reverse("message_new", args=["lut"]), {"title": "Un sfat", "klass": "S", "purpose": "service", "like": like}
    )
    made = MessageTemplate.objects.get(title="Un sfat")
    assert made.name == "own.un_sfat"
    assert bool(mail_drafts.opened(made).content["blocks"]) == bool(like)
    assert content.of(store, "own.un_sfat") == made


def test_a_message_without_a_name_is_not_made(client: Client, store: Store) -> None:
    answer = client.post(
        reverse("message_new", args=["lut"]), {"title": " ", "klass": "S", "purpose": "service", "like": ""}
    )
    assert answer.status_code == 422
    assert not MessageTemplate.objects.exists()


def test_the_editor_names_the_flows_that_send_it(client: Client, store: Store) -> None:
    library.install(store, "R01")
    made = MessageTemplate.objects.get(name="R01.thank_you")
    name = store.flows.get().name
    assert name in client.get(where(made)).content.decode()
    assert name in client.get(reverse("messages", args=["lut"])).content.decode()


def test_a_flow_whose_message_may_not_go_out_is_not_published(
    store: Store, owner: User, thanks: MessageTemplate
) -> None:
    flow = library.install(store, "R01")
    assert flow.live
    assert flow_drafts.faults(store, flow.live.definition) == []
    content.save_version(
        thanks, language="ro", subject="Salut", preheader="", blocks=[{"kind": "text", "text": "Salut, Ana. " * 5}]
    )
    (fault,) = flow_drafts.faults(store, flow.live.definition)
    assert "R01.thank_you" in fault
    assert "There is no preheader." in fault
