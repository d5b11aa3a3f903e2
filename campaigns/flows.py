"""Publishing flows, switching them, and pausing all sending. Pages, commands and the API call these."""

from typing import Any

from django.db import transaction
from django.utils.text import slugify

from campaigns import definitions
from campaigns.models import Enrolment, Flow, FlowVersion, Message
from campaigns.triggers import planning
from postpurchase import clock, queue
from postpurchase.due import State
from postpurchase.errors import BusinessError
from stores import audit
from stores.models import Store, User

Actor = User | str
# Why an enrolment is held while its flow is off.
FLOW_OFF = "flow_off"


def publish(
    store: Store, data: dict[str, Any], *, actor: Actor, slug: str = "", recipe: str = "", state: str | None = None
) -> Flow:
    """Make the flow file the live version of the store's flow `slug` (default: from its name).

    A new flow is off unless `state` says otherwise. People on their way finish the version they began. The same file
    again changes nothing. BusinessError `flow_faults` lists everything that is wrong; nothing is changed then.
    """
    definition = definitions.parse(data)
    slug = slug or slugify(definition.name)[:60] or "flow"
    with transaction.atomic():
        flow, _ = Flow.objects.get_or_create(
            store=store,
            slug=slug,
            defaults={"name": definition.name, "klass": definition.klass, "recipe": recipe},
        )
        flow = Flow.objects.select_for_update(of=("self",)).select_related("live").get(pk=flow.pk)
        if flow.live is None or flow.live.definition != data:
            number = flow.live.number + 1 if flow.live else 1
            began = flow.live.definition.get("trigger") if flow.live else None
            flow.live = FlowVersion.objects.create(
                flow=flow, number=number, definition=data, published_by=str(actor)[:254]
            )
            flow.name, flow.klass, flow.edited_at = definition.name, definition.klass, clock.now()
            flow.save(update_fields=["live", "name", "klass", "edited_at"])
            audit.record(store, "flow.publish", actor=actor, target=slug, diff={"version": number})
            if began != data["trigger"]:
                planning.switched(flow)
        if state is not None:
            set_state(flow, state, actor=actor)
    return flow


def set_state(flow: Flow, state: str, *, actor: Actor) -> None:
    """Off, review or on. Off keeps people where they are; they go on when it is switched on again."""
    if state not in Flow.State.values:
        raise BusinessError(f"A flow is off, review or on, not {state!r}. Nothing was changed.", "flow_state")
    if state != Flow.State.OFF and flow.archived_at:
        raise BusinessError("This flow is archived. Bring it back first; nothing was changed.", "flow_archived")
    if state != Flow.State.OFF and flow.live_id is None:
        raise BusinessError("This flow has no published version yet. Publish one, then switch it on.", "flow_empty")
    with transaction.atomic():
        before = Flow.objects.select_for_update().values_list("state", flat=True).get(pk=flow.pk)
        flow.state = state
        if before == state:
            return
        Flow.objects.filter(pk=flow.pk).update(state=state, edited_at=clock.now())
        active = Enrolment.objects.filter(flow=flow, status=Enrolment.Status.ACTIVE)
        if state == Flow.State.OFF:
            active.filter(state=State.DUE).update(state=State.HELD, error_code=FLOW_OFF)
        elif before == Flow.State.OFF:
            active.filter(state=State.HELD, error_code=FLOW_OFF).update(state=State.DUE, error_code="")
        if Flow.State.OFF in {before, state}:
            planning.switched(flow)
        audit.record(flow.store, "flow.state", actor=actor, target=flow.slug, diff={"from": before, "to": state})
        queue.wake()


def pause_sending(store: Store, *, actor: Actor) -> None:
    """Nothing leaves until `resume_sending`; what becomes due meanwhile waits."""
    _switch(store, paused=True, actor=actor)


def resume_sending(store: Store, *, actor: Actor) -> None:
    """Send again, what waited first."""
    _switch(store, paused=False, actor=actor)


def _switch(store: Store, *, paused: bool, actor: Actor) -> None:
    with transaction.atomic():
        changed = Store.objects.filter(pk=store.pk, sending_paused=not paused).update(sending_paused=paused)
        store.sending_paused = paused
        if not changed:
            return
        if not paused:
            Message.objects.filter(store=store, state=State.DUE, error_code="paused").update(due_at=clock.now())
        audit.record(store, "sending.pause" if paused else "sending.resume", actor=actor)
        queue.wake()


def export_file(flow: Flow) -> str:
    """The live version as a YAML flow file."""
    if flow.live is None:
        raise BusinessError("This flow has no published version yet, so there is nothing to export.", "flow_empty")
    return definitions.dump(flow.live.definition)


def import_file(store: Store, text: str, *, actor: Actor, slug: str = "") -> Flow:
    """Publish a YAML flow file; a new flow is off. BusinessError `flow_yaml` or `flow_faults`: nothing was changed."""
    return publish(store, definitions.load(text), actor=actor, slug=slug)
