"""The editor's pages without a script: cards, one step's form, adding, moving, deleting, publishing, turning on."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.urls import reverse

from campaigns import content, definitions, outbox
from campaigns.models import Flow, Message
from postpurchase import clock
from stores.models import AuditEvent
from tests.campaigns.flow_files import file, happen, publish, run, send, wait
from tests.factories import NOON, make_order, make_store, make_user

pytestmark = pytest.mark.django_db

BIG = {"field": "order.total", "op": "gt", "value": 100}
BRANCH = {"uid": "check", "kind": "branch", "condition": BIG, "then": [send("big")], "else": [send("small")]}


@pytest.fixture
def shop(client):
    clock.freeze(NOON)
    store = make_store(language="en")
    content.install(store, "R01.thank_you")
    client.force_login(make_user(store))
    return store


@pytest.fixture
def flow(shop):
    return publish(shop, file(wait("w", days=13), send("a"), BRANCH))


def url(flow, name, **kwargs):
    return reverse(name, kwargs={"store": flow.store.slug, "flow": flow.slug} | kwargs)


def get(client, flow, name, **kwargs):
    answer = client.get(url(flow, name, **kwargs))
    assert answer.status_code == 200, answer
    return answer.content.decode()


def post(client, flow, name, data=None, **kwargs):
    flow.refresh_from_db()
    return client.post(url(flow, name, **kwargs), {"token": flow.draft_token} | (data or {}))


def steps(flow):
    flow.refresh_from_db()
    return (flow.draft or flow.live.definition)["steps"]


def test_a_new_flow_is_a_draft_with_steps_put_in_by_buttons_and_then_published(client, shop):
    answer = client.post(reverse("flow_new", args=[shop.slug]), {"name": "Thanks", "event": "order.paid", "klass": "T"})
    flow = Flow.objects.get()
    assert answer["Location"] == url(flow, "flow_edit")
    answer = post(client, flow, "flow_step_add", {"kind": "wait"})
    assert answer["Location"] == url(flow, "flow_step", uid="wait")
    post(client, flow, "flow_step_add", {"kind": "send_email", "after": "wait"})
    html = get(client, flow, "flow_edit")
    assert "2 things to mend before publishing." in html
    assert "Choose an email template." in html
    assert post(client, flow, "flow_publish")["Location"] == url(flow, "flow_edit") + "?faults"
    post(client, flow, "flow_step", {"p-days": "2", "p-hours": "0", "p-minutes": "0", "p-since": "step"}, uid="wait")
    post(client, flow, "flow_step", {"p-template": "R01.thank_you", "p-useful_days": "0"}, uid="send_email")
    assert steps(flow) == [
        {"uid": "wait", "kind": "wait", "days": 2},
        {"uid": "send_email", "kind": "send_email", "template": "R01.thank_you"},
    ]
    assert "This is the first version." in get(client, flow, "flow_publish")
    assert post(client, flow, "flow_publish")["Location"] == url(flow, "flow")
    flow.refresh_from_db()
    assert (flow.live.number, flow.draft, flow.state) == (1, None, "off")
    assert set(AuditEvent.objects.values_list("action", flat=True)) >= {"flow.create", "flow.draft", "flow.publish"}


def test_opening_and_saving_a_step_unchanged_changes_nothing(client, flow):
    html = get(client, flow, "flow_step", uid="w")
    values = dict(re.findall(r'name="(p-[a-z_]+)" value="([^"]*)"', html)) | {"p-since": "step"}
    assert values["p-days"] == "13"
    assert post(client, flow, "flow_step", values, uid="w").status_code == 302
    flow.refresh_from_db()
    assert flow.draft is None


def test_what_has_the_wrong_type_is_refused_beside_its_field_and_kept(client, flow):
    answer = post(client, flow, "flow_step", {"p-days": "ten"}, uid="w")
    html = answer.content.decode()
    assert answer.status_code == 422
    assert "Enter a whole number." in html
    assert 'value="ten"' in html
    assert steps(flow)[0]["days"] == 13


def test_the_second_of_two_tabs_is_told_and_its_input_stays(client, flow):
    html = get(client, flow, "flow_step", uid="w")
    token = re.search(r'name="token" value="(\d+)"', html)[1]
    post(client, flow, "flow_step_do", uid="a", action="up")
    answer = client.post(url(flow, "flow_step", uid="w"), {"token": token, "p-days": "10", "p-since": "step"})
    html = answer.content.decode()
    assert answer.status_code == 409
    assert "was changed in another tab" in html
    assert 'name="p-days" value="10"' in html
    assert [step["uid"] for step in steps(flow)] == ["a", "w", "check"]
    again = re.search(r'name="token" value="(\d+)"', html)[1]
    client.post(url(flow, "flow_step", uid="w"), {"token": again, "p-days": "10", "p-since": "step"})
    assert steps(flow)[1] == {"uid": "w", "kind": "wait", "days": 10}


def test_moving_a_step_says_where_it_is_now(client, flow):
    answer = post(client, flow, "flow_step_do", uid="a", action="up")
    assert answer["Location"].endswith("?moved=a&went=up#down-a")
    html = client.get(answer["Location"]).content.decode()
    assert "Step 1 of 5, Send “R01.thank_you” by email, in the customer’s language, moved up." in html
    assert re.search(r'id="down-a"[^>]*aria-describedby="said"', html)
    post(client, flow, "flow_step_do", {"place": "check:then|big"}, uid="a", action="move")
    assert [step["uid"] for step in steps(flow)[1]["then"]] == ["big", "a"]


def test_a_deleted_step_comes_back_with_undo(client, flow):
    answer = post(client, flow, "flow_step_do", uid="check", action="delete")
    html = client.get(answer["Location"]).content.decode()
    assert "The 2 steps in it went with it." in html
    assert "Undo the last change" in html
    assert len(steps(flow)) == 2
    post(client, flow, "flow_undo")
    assert len(steps(flow)) == 3
    assert flow.draft is None


def test_a_broken_card_is_marked_and_the_list_of_faults_takes_the_focus(client, flow):
    post(client, flow, "flow_step", {"p-template": "", "p-useful_days": "0"}, uid="big")
    answer = client.get(url(flow, "flow_edit") + "?faults")
    html = answer.content.decode()
    assert re.search(r'role="alert" tabindex="-1" data-focus id="faults"', html)
    assert re.search(r'class="card step broken" id="step-big"', html)
    assert f'href="{url(flow, "flow_step", uid="big")}#panel"' in html


def sent(html):
    """What a browser would send of the form in the panel, unchanged."""
    panel = html[html.index('id="panel"') :].split("</form>")[0]
    values = {}
    for tag in re.findall(r"<input[^>]*>", panel):
        found = dict(re.findall(r'([a-z]+)="([^"]*)"', tag))
        if found.get("type") not in {"checkbox", "radio"} or " checked" in tag:
            values.setdefault(found["name"], []).append(found.get("value", ""))
    for name, body in re.findall(r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', panel, re.S):
        values[name] = re.findall(r'<option value="([^"]*)"[^>]*selected', body)
    return {
        name: list(map(unescape, some)) for name, some in values.items() if name not in {"token", "csrfmiddlewaretoken"}
    }


def test_saving_the_start_untouched_changes_nothing(client, shop):
    flow = publish(shop, file(send("a"), trigger={"event": "order.paid", "where": {"all": [BIG, BIG]}}, reentry="once"))
    assert post(client, flow, "flow_start", sent(get(client, flow, "flow_start"))).status_code == 302
    flow.refresh_from_db()
    assert flow.draft is None


def test_saving_a_check_untouched_changes_nothing(client, shop):
    nested = {"any": [BIG, {"all": [BIG, {"field": "order.status", "op": "in", "value": ["trash", "completed"]}]}]}
    flow = publish(shop, file(BRANCH | {"condition": nested}, send("a", when=BIG)))
    for uid in ("check", "a"):
        assert (
            post(client, flow, "flow_step", sent(get(client, flow, "flow_step", uid=uid)), uid=uid).status_code == 302
        )
    flow.refresh_from_db()
    assert flow.draft is None


def test_the_ways_of_a_split_are_set_in_its_form_and_keep_their_steps(client, shop):
    ways = [{"name": "A", "weight": 2, "steps": [send("x")]}, {"name": "B", "steps": []}]
    flow = publish(shop, file({"uid": "ab", "kind": "split", "variants": ways}))
    form = sent(get(client, flow, "flow_step", uid="ab"))
    assert post(client, flow, "flow_step", form, uid="ab").status_code == 302
    flow.refresh_from_db()
    assert flow.draft is None
    form |= {"p-variants_0": "Short", "p-variants_4": "C", "p-variants_5": "3"}
    post(client, flow, "flow_step", form, uid="ab")
    assert steps(flow)[0]["variants"] == [
        {"name": "Short", "weight": 2, "steps": [send("x")]},
        {"name": "B", "steps": []},
        {"name": "C", "steps": [], "weight": 3},
    ]
    assert "Otherwise" not in get(client, flow, "flow_edit")


def test_the_start_takes_other_triggers_and_conditions(client, shop):
    flow = publish(shop, file(send("a"), trigger={"event": "order.paid", "where": BIG}))
    form = sent(get(client, flow, "flow_start"))
    form |= {"also": ["order.placed"], "reentry": "every_days", "days": "30", "c-where-0-value": "250"}
    post(client, flow, "flow_start", form)
    flow.refresh_from_db()
    assert flow.draft["trigger"]["event"] == ["order.paid", "order.placed"]
    assert (flow.draft["trigger"]["where"]["field"], str(flow.draft["trigger"]["where"]["value"])) == (
        "order.total",
        "250",
    )
    assert (flow.draft["reentry"], flow.draft["exit_when"]) == ({"every_days": 30}, flow.live.definition["exit_when"])


def test_a_condition_is_put_together_row_by_row_without_a_script(client, flow):
    post(client, flow, "flow_step_add", {"kind": "branch", "after": "a"})
    assert "Choose what to check." in get(client, flow, "flow_edit")
    form = sent(get(client, flow, "flow_step", uid="branch"))
    answer = post(client, flow, "flow_step", form | {"c-condition-do": "add-0"}, uid="branch")
    form = sent(answer.content.decode()) | {"c-condition-0-field": "order.total"}
    assert steps(flow)[2]["condition"] == {}
    form = sent(post(client, flow, "flow_step", form | {"c-condition-do": "show"}, uid="branch").content.decode())
    wanted = form | {"c-condition-0-op": "gt", "c-condition-0-value": "abc"}
    assert post(client, flow, "flow_step", wanted, uid="branch").status_code == 422
    wanted |= {"c-condition-0-value": "100"}
    assert post(client, flow, "flow_step", wanted, uid="branch").status_code == 302
    assert steps(flow)[2]["condition"]["field"] == "order.total"
    assert "things to mend" not in get(client, flow, "flow_edit")


def test_a_form_that_goes_on_is_judged_by_the_draft_that_it_was_opened_on(client, flow):
    form = sent(get(client, flow, "flow_step", uid="w"))
    post(client, flow, "flow_step_do", uid="a", action="up")
    answer = client.post(url(flow, "flow_step", uid="w"), form | {"token": "0", "c-when-do": "add-0"})
    assert 'name="token" value="0"' in answer.content.decode()
    assert client.post(url(flow, "flow_step", uid="w"), form | {"token": "0"}).status_code == 409


def test_the_number_of_queries_does_not_depend_on_steps_or_people(client, shop, django_assert_max_num_queries):
    flow = publish(shop, file(*[send(f"s{n}") for n in range(30)], BRANCH))
    for _ in range(10):
        happen(make_order(shop))
    run()
    with django_assert_max_num_queries(25):
        get(client, flow, "flow_edit")


def test_messages_that_led_to_an_order_are_counted(client, shop):
    flow = publish(shop, file(send("a")))
    first, second = make_order(shop), make_order(shop)
    happen(first)
    happen(second)
    run()
    outbox.run_due()
    Message.objects.update(clicked_at=NOON)
    make_order(shop, first.customer, created_gmt=NOON + timedelta(days=3), counted=True)
    make_order(shop, second.customer, created_gmt=NOON + timedelta(days=15), counted=True)
    assert "<dt>led to an order</dt><dd>1" in get(client, flow, "flow_edit")


def test_turning_on_with_messages_pending_needs_a_choice(client, flow, shop):
    flow = publish(shop, file(send("a")), state="review", slug="asks")
    for _ in range(2):
        happen(make_order(shop))
    run()
    outbox.run_due()
    assert "2 messages wait for approval." in get(client, flow, "flow_on")
    assert post(client, flow, "flow_on", {"state": "on"}).status_code == 422
    flow.refresh_from_db()
    assert flow.state == "review"
    post(client, flow, "flow_on", {"state": "on", "pending": "drop"})
    flow.refresh_from_db()
    assert flow.state == "on"
    assert set(Message.objects.filter(flow=flow).values_list("status", flat=True)) == {"cancelled"}


def test_versions_tell_who_when_and_what_and_one_is_restored(client, flow, shop):
    post(client, flow, "flow_step", {"p-days": "10", "p-since": "step"}, uid="w")
    post(client, flow, "flow_publish")
    html = get(client, flow, "flow_versions")
    assert "Step 1: “Wait 13 days” becomes “Wait 10 days”." in html
    assert str(shop.members.get()) in html
    post(client, flow, "flow_restore", number=1)
    assert steps(flow)[0]["days"] == 13
    assert flow.live.number == 2
    assert b"days: 13" in client.get(url(flow, "flow_version_file", number=1)).content


def test_the_draft_can_be_edited_as_a_file(client, flow):
    html = get(client, flow, "flow_draft_file")
    assert "days: 13" in html
    refused = post(client, flow, "flow_draft_file", {"file": "format: 9"})
    assert refused.status_code == 422
    assert "format: 9" in refused.content.decode()
    text = definitions.dump(flow.live.definition).replace("days: 13", "days: 9")
    post(client, flow, "flow_draft_file", {"file": text})
    assert steps(flow)[0]["days"] == 9
    assert flow.live.definition["steps"][0]["days"] == 13


def test_a_flow_is_renamed_copied_archived_and_brought_back(client, flow, shop):
    happen(make_order(shop))
    post(client, flow, "flow_manage", {"action": "rename", "name": "Other"})
    post(client, flow, "flow_manage", {"action": "duplicate"})
    post(client, flow, "flow_manage", {"action": "remove"})
    listed = client.get(reverse("flows", args=[shop.slug])).content.decode()
    assert "Copy of Other" in listed
    assert ">Other<" not in listed
    assert ">Other<" in client.get(reverse("flows", args=[shop.slug]) + "?view=archived").content.decode()
    post(client, flow, "flow_manage", {"action": "bring_back"})
    assert ">Other<" in client.get(reverse("flows", args=[shop.slug])).content.decode()


@pytest.mark.parametrize(
    ("role", "edits", "publishes"), [("marketer", 302, 302), ("support", 403, 403), ("viewer", 403, 403)]
)
def test_who_may_edit_and_publish(client, flow, shop, role, edits, publishes):
    client.force_login(make_user(shop, role=role))
    assert "Wait 13 days" in get(client, flow, "flow_edit")
    assert post(client, flow, "flow_step", {"p-days": "10", "p-since": "step"}, uid="w").status_code == edits
    assert post(client, flow, "flow_step_do", uid="w", action="delete").status_code == edits
    assert post(client, flow, "flow_publish").status_code == publishes


def test_another_stores_flow_does_not_exist(client, shop):
    other = publish(make_store(), file(send("a")))
    for name in ("flow_edit", "flow_publish", "flow_versions", "flow_compare", "flow_manage", "flow_on"):
        assert client.get(reverse(name, args=[shop.slug, other.slug])).status_code == 404
