"""Any flow file comes back the same after export and import, and the editor's forms change nothing that nobody touched."""

import random

import pytest
from django.urls import reverse

from campaigns import definitions, drafts, editing, flow_words, flows, step_forms
from campaigns.models import Flow
from campaigns.steps import kinds
from tests.campaigns.flow_files import file
from tests.factories import make_store, make_user

pytestmark = pytest.mark.django_db

NAMES = ["Mulțumim", 'Two "words": yes', "- no", "null", "a\u2028b", "{x}", "terima kasih", "123", "émoji 🙂", "# mark"]


def condition(dice, depth=0):
    if depth < 3 and dice.random() < 0.4:
        joint = dice.choice(["all", "any", "not"])
        below = [condition(dice, depth + 1) for _ in range(dice.randint(1, 3))]
        return {joint: below}
    return dice.choice(
        [
            {"field": "order.total", "op": "gt", "value": dice.choice([0, 100, "99.90"])},
            {"field": "order.status", "op": "in", "value": ["completed", dice.choice(NAMES)]},
            {"field": "customer.account", "op": "is", "value": dice.choice([True, False])},
            {"field": "order.language", "op": "is_set"},
        ]
    )


def step(dice, uids, depth=0):
    uid = f"s{next(uids)}"
    kind = dice.choice(["wait", "send_email", "end", "give_points", *(["branch"] * (depth < 2))])
    made = {"uid": uid, "kind": kind}
    if kind == "wait":
        made |= dice.choice([{"days": dice.randint(1, 90)}, {"hours": 4, "since": "event"}, {"until": "09:30"}])
        if dice.random() < 0.5:
            made["between"] = ["10:00", "18:00"]
    elif kind == "send_email":
        made |= {"template": dice.choice(NAMES), "title": dice.choice(NAMES)}
    elif kind == "give_points":
        made |= {"points": dice.randint(1, 500), "reason": dice.choice(NAMES)}
    elif kind == "branch":
        made["condition"] = condition(dice)
        made["then"] = [step(dice, uids, depth + 1) for _ in range(dice.randint(0, 2))]
        made["else"] = [step(dice, uids, depth + 1) for _ in range(dice.randint(0, 2))]
    if dice.random() < 0.3:
        made["when"] = condition(dice)
    return made


def any_file(dice):
    uids = iter(range(1000))
    data = file(*[step(dice, uids) for _ in range(dice.randint(1, 5))], klass=dice.choice("TSM"))
    data |= {"name": dice.choice(NAMES), "exit_when": [condition(dice) for _ in range(dice.randint(0, 2))]}
    data["trigger"] = {"event": dice.choice(["order.paid", ["order.placed", "order.delivered"]])}
    if dice.random() < 0.5:
        data["trigger"]["where"] = condition(dice)
    if dice.random() < 0.5:
        data["reentry"] = dice.choice(["once", "always", {"every_days": 30}])
    if dice.random() < 0.3:
        data["holdback"] = dice.randint(1, 90)
    return data


@pytest.mark.parametrize("seed", range(40))
def test_a_flow_file_is_the_same_after_export_and_import(seed):
    data = any_file(random.Random(seed))
    assert definitions.faults(data) == []
    text = definitions.dump(data)
    assert definitions.load(text) == data
    assert definitions.dump(definitions.load(text)) == text


@pytest.mark.parametrize("kind", sorted(kinds()))
def test_every_kind_of_step_has_a_form_and_a_place_without_a_page_of_its_own(client, kind):
    store = make_store()
    client.force_login(make_user(store))
    flow = drafts.create(store, drafts.empty("New", "S", "order.paid"), actor="test")
    address = reverse("flow_step_add", args=[store.slug, flow.slug])
    answer = client.post(address, {"token": 0, "kind": kind})
    html = client.get(answer["Location"]).content.decode()
    assert "Step 1: " in html
    assert [step["kind"] for step in Flow.objects.get().draft["steps"]] == [kind]
    assert client.get(reverse("flow_edit", args=[store.slug, flow.slug])).status_code == 200


def test_a_published_flow_is_the_same_after_export_and_import_into_another_store():
    here, there = make_store(), make_store()
    for seed in range(6):
        data = any_file(random.Random(seed))
        text = flows.export_file(flows.publish(here, data, actor="test", slug=f"f{seed}"))
        taken = flows.import_file(there, text, actor="test", slug=f"f{seed}")
        taken.refresh_from_db()
        assert taken.live.definition == data
        assert drafts.of(taken) == data


@pytest.mark.parametrize("seed", range(15))
def test_saving_every_form_untouched_changes_no_step(seed):
    store = make_store()
    data = any_file(random.Random(seed))
    for spot in editing.spots(data):
        raw = flow_words.params(spot.step)
        params = kinds()[spot.step["kind"]].params
        form = step_forms.make(params, raw, store=store)
        sent = {form[name].html_name: form[name].value() for name in form.fields}
        between = sent.pop("p-between", None)
        if between is not None:
            sent |= {f"p-between_{n}": value for n, value in enumerate(between)}
        again = step_forms.make(
            params, raw, store=store, data={key: value for key, value in sent.items() if value is not None}
        )
        assert again.is_valid(), again.errors
        kept = {name: raw[name] for name in step_forms.conditions_in(params) if name in raw}
        assert kept | again.params() == raw, spot.step
