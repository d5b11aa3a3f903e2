"""Drafts of flows: what is edited while the live version goes on unchanged. Pages, commands and the API call these.

A draft may have faults; only publishing refuses them. Every change names the state of the draft that it was made on
(`token`), so that of two people or tabs the second is told instead of overwriting the first.
"""

import copy
from collections.abc import Callable
from typing import Any, TypeVar

from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from campaigns import definitions, editing, flows, proofs
from campaigns.flows import Actor
from campaigns.models import Enrolment, Flow, FlowVersion, Message
from postpurchase import clock
from postpurchase.errors import BusinessError
from stores import audit
from stores.models import Store

# Names in addresses beside a flow's own.
RESERVED = {"new", "import", "library", "results"}
STALE = "draft_stale"
T = TypeVar("T")


def of(flow: Flow) -> dict[str, Any]:
    """A copy of what is edited: the draft, else the live version."""
    data = flow.draft or (flow.live.definition if flow.live else None) or {}
    return copy.deepcopy(data) | {"name": flow.name}


def differs(flow: Flow) -> bool:
    """Whether there is something to publish."""
    return flow.draft is not None


def change(
    flow: Flow, token: int, edit: Callable[[dict[str, Any]], T], *, actor: Actor, what: str, undo: str = ""
) -> T:
    """Change the draft by `edit` and return what it returned; with `undo` the words for taking it back.

    BusinessError `draft_stale` when the draft is not the one of `token` any more; nothing was changed then.
    """
    if flow.draft_token != token:
        raise stale(flow)
    data = of(flow)
    result = edit(data)
    _save(flow, token, data, actor=actor, what=what, undo={"draft": flow.draft, "said": undo} if undo else None)
    return result


def _save(
    flow: Flow, token: int, data: dict[str, Any] | None, *, actor: Actor, what: str, undo: dict[str, Any] | None = None
) -> None:
    if data is not None and flow.live and data == flow.live.definition | {"name": data["name"]}:
        data = None
    values = {"draft": data, "draft_token": token + 1, "undo": undo, "edited_at": clock.now()}
    with transaction.atomic():
        if not Flow.objects.filter(pk=flow.pk, draft_token=token).update(**values):
            raise stale(flow)
        audit.record(flow.store, "flow.draft", actor=actor, target=flow.slug, diff={"what": what})
    for name, value in values.items():
        setattr(flow, name, value)


def stale(flow: Flow) -> BusinessError:
    """The refusal of a change that was made on an older draft."""
    return BusinessError(
        _(
            "“%(name)s” was changed in another tab or by somebody else since this page was opened, so nothing was saved. "
            "What you typed is still here. Look at the flow as it is now, then save again if you still want to."
        )
        % {"name": flow.name},
        STALE,
    )


def replace(flow: Flow, token: int, data: dict[str, Any], *, actor: Actor, what: str) -> None:
    """Make the whole file the draft; the name in it becomes the flow's. BusinessError `draft_stale`."""
    if flow.draft_token != token:
        raise stale(flow)
    if data["name"] != flow.name:
        rename(flow, data["name"], actor=actor)
    undo = {"draft": flow.draft, "said": _("The draft is as it was before.")}
    _save(flow, token, copy.deepcopy(data), actor=actor, what=what, undo=undo)


def take_back(flow: Flow, token: int, *, actor: Actor) -> None:
    """Undo the last change. BusinessError `nothing_to_undo` when it cannot be taken back any more."""
    if flow.draft_token != token:
        raise stale(flow)
    if not flow.undo:
        raise BusinessError(_("There is nothing to take back any more. Nothing was changed."), "nothing_to_undo")
    _save(flow, token, flow.undo["draft"], actor=actor, what="undo")


def discard(flow: Flow, token: int, *, actor: Actor) -> None:
    """Go back to exactly the live version. BusinessError `flow_empty` when there is none."""
    if flow.draft_token != token:
        raise stale(flow)
    if flow.live is None:
        raise BusinessError(
            _("This flow was never published, so there is nothing to go back to. Delete it instead."), "flow_empty"
        )
    _save(flow, token, None, actor=actor, what="discard")


def restore(flow: Flow, version: FlowVersion, token: int, *, actor: Actor) -> None:
    """Put an earlier version into the draft; it goes live only when it is published."""
    if flow.draft_token != token:
        raise stale(flow)
    data = copy.deepcopy(version.definition) | {"name": flow.name}
    undo = {"draft": flow.draft, "said": _("The draft is as it was before.")}
    _save(flow, token, data, actor=actor, what=f"restore version {version.number}", undo=undo)


def faults(store: Store, data: dict[str, Any]) -> list[str]:
    """Why this draft cannot be published, a sentence for each fault."""
    found = definitions.faults(data)
    known = set(store.message_templates.values_list("name", flat=True))
    for spot in editing.spots(data):
        if spot.step.get("kind") == "branch" and not spot.step.get("condition"):
            # Said shortly: a new step that nobody has filled in yet.
            found = [fault for fault in found if not fault.startswith(f"Step {spot.number}: condition")]
            found.append(_("Step %(number)s: Choose what to check.") % {"number": spot.number})
    sent = [(spot, spot.step.get("template")) for spot in editing.spots(data)]
    named = [(spot, name) for spot, name in sent if isinstance(name, str) and name.strip()]
    of_messages = proofs.faults_of(store, [name for _spot, name in named if name in known])
    for spot, name in named:
        if name not in known:
            found.append(
                _("Step %(number)s: the message “%(name)s” is not there. Choose another.")
                % {"number": spot.number, "name": name}
            )
        for fault in of_messages.get(name, []):
            found.append(_("Step %(number)s: %(fault)s") % {"number": spot.number, "fault": fault})
    return found


def slug_for(store: Store, name: str) -> str:
    """An address for a new flow that no flow of the store has."""
    base = slugify(name)[:54] or "flow"
    taken = set(Flow.objects.filter(store=store, slug__startswith=base).values_list("slug", flat=True)) | RESERVED
    return next(slug for n in range(1, 10_000) if (slug := base if n == 1 else f"{base}-{n}") not in taken)


def create(store: Store, data: dict[str, Any], *, actor: Actor, recipe: str = "") -> Flow:
    """A new flow that is only a draft: nobody enters it until it is published and switched on."""
    name = str(data.get("name") or _("New flow"))[:120]
    with transaction.atomic():
        flow = Flow.objects.create(
            store=store,
            slug=slug_for(store, name),
            name=name,
            klass=data["class"],
            recipe=recipe,
            draft=data | {"name": name},
        )
        audit.record(store, "flow.create", actor=actor, target=flow.slug)
    return flow


def empty(name: str, klass: str, event: str) -> dict[str, Any]:
    """The file of a flow without steps."""
    return {
        "format": definitions.FORMAT,
        "name": name,
        "class": klass,
        "trigger": {"event": event},
        "reentry": "once_per_order",
        "exit_when": [],
        "steps": [],
    }


def duplicate(flow: Flow, *, actor: Actor) -> Flow:
    """A copy as a draft of its own, with what is edited now."""
    data = of(flow)
    data["name"] = _("Copy of %(name)s")[:120] % {"name": flow.name[:100]}
    return create(flow.store, data, actor=actor)


def rename(flow: Flow, name: str, *, actor: Actor) -> None:
    """Another name, at once and everywhere; the address stays. BusinessError `flow_name`."""
    name = name.strip()
    if not name or len(name) > 120:
        raise BusinessError(_("A flow's name has 1 to 120 characters. Nothing was changed."), "flow_name")
    before, flow.name = flow.name, name
    if flow.draft is not None:
        flow.draft = flow.draft | {"name": name}
    with transaction.atomic():
        flow.save(update_fields=["name", "draft"])
        audit.record(flow.store, "flow.rename", actor=actor, target=flow.slug, diff={"from": before, "to": name})


def has_history(flow: Flow) -> bool:
    """Whether anybody ever entered it or was written to by it; then it is archived, never deleted."""
    return Enrolment.objects.filter(flow=flow).exists() or Message.objects.filter(flow=flow).exists()


def remove(flow: Flow, *, actor: Actor) -> bool:
    """Delete a flow without history (True), else archive it (False). It is off afterwards; people on their way stay where they are."""
    with transaction.atomic():
        flows.set_state(flow, Flow.State.OFF, actor=actor)
        if has_history(flow):
            Flow.objects.filter(pk=flow.pk).update(archived_at=clock.now())
            audit.record(flow.store, "flow.archive", actor=actor, target=flow.slug)
            return False
        audit.record(flow.store, "flow.delete", actor=actor, target=flow.slug)
        Flow.objects.filter(pk=flow.pk).update(live=None)
        flow.delete()
        return True


def bring_back(flow: Flow, *, actor: Actor) -> None:
    """Out of the archive; it is off until somebody switches it on."""
    Flow.objects.filter(pk=flow.pk).update(archived_at=None)
    audit.record(flow.store, "flow.unarchive", actor=actor, target=flow.slug)
