"""The merchant's words for states of flows and messages: (badge state, words, icon)."""

from django.utils.translation import gettext_lazy as _

from campaigns.models import Flow, Message

Badge = tuple[str, str, str]
S = Message.Status

FLOW_STATE: dict[str, tuple[str, object, str]] = {
    Flow.State.OFF: ("neutral", _("Off"), "pause"),
    Flow.State.REVIEW: ("info", _("Review first"), "mail"),
    Flow.State.ON: ("ok", _("On"), "check"),
}
MESSAGE: dict[str, tuple[str, object, str]] = {
    S.PLANNED: ("info", _("Planned"), "clock"),
    S.HELD: ("warn", _("Waiting"), "clock"),
    S.APPROVAL: ("info", _("Needs approval"), "hand"),
    S.CLAIMED: ("info", _("Sending"), "refresh"),
    S.HANDING: ("info", _("Sending"), "refresh"),
    S.ACCEPTED: ("ok", _("Sent"), "check"),
    S.RETRY: ("warn", _("Retrying"), "refresh"),
    S.UNKNOWN: ("bad", _("Unclear: may have been sent"), "help"),
    S.FAILED: ("bad", _("Failed"), "bad"),
    S.SKIPPED: ("neutral", _("Skipped"), "skip"),
    S.EXPIRED: ("neutral", _("Too late"), "x"),
    S.CANCELLED: ("neutral", _("Cancelled"), "x"),
}


def flow_state(flow: Flow) -> Badge:
    state, label, icon = FLOW_STATE[flow.state]
    return state, str(label), icon


def message_state(message: Message) -> Badge:
    """The message's state; a fact that came back afterwards says more than "Sent"."""
    if message.complained_at:
        return "bad", str(_("Complained")), "bad"
    if message.bounced_at:
        return "bad", str(_("Bounced")), "bad"
    if message.delivered_at:
        return "ok", str(_("Delivered")), "check"
    state, label, icon = MESSAGE[message.status]
    return state, str(label), icon


def title(message: Message) -> str:
    """What the message is called in lists: its subject once written, else the step's title, else its text's name."""
    return message.subject or message.template
