"""Wait for something to happen, but not for ever: one way when it did, the other when the time is over."""

from dataclasses import dataclass, field
from datetime import timedelta

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns import times
from campaigns.steps.base import ELSE, THEN, Choose, Outcome, Step, Visit, WaitUntil, register, setting
from campaigns.steps.happenings import choices, is_event, words_of

_ABOUT = (("customer", gettext_lazy("of the customer")), ("order", gettext_lazy("of this order")))
LONGEST = timedelta(days=365)


@register("wait_for_event", label=gettext_lazy("Wait for something"), icon="clock", group="time", parts=True)
@dataclass(frozen=True)
class WaitForEvent(Step):
    """`event` as in a trigger, counted from when the wait begins; `within` is a span such as "7 days". `about` order takes
    only events of the order that the person is in the flow for. The steps of `then` are for when it happened, those of
    `else` for when it did not. The event itself wakes the person; nothing is polled.
    """

    event: str = field(metadata=setting(gettext_lazy("Wait for"), widget="event", choices=choices))
    within: str = field(metadata=setting(gettext_lazy("At most"), widget="span"))
    about: str = field(default="customer", metadata=setting(gettext_lazy("Whose"), choices=_ABOUT))

    def faults(self) -> list[str]:
        wrong = []
        if not is_event(self.event):
            wrong.append(_("There is no event %(name)s.") % {"name": self.event})
        try:
            fits = timedelta() < times.span(self.within) <= LONGEST
        except ValueError:
            fits = False
        if not fits:
            wrong.append(_("within is a time such as 12 hours or 7 days, at most 365 days."))
        if self.about not in {"customer", "order"}:
            wrong.append(_("about is customer or order."))
        return wrong

    def sentence(self) -> str:
        words = {"event": words_of(self.event), "span": times.span_words(self.within)}
        if self.about == "order":
            return _("Wait until this happens with the order: %(event)s; at most %(span)s") % words
        return _("Wait until this happens: %(event)s; at most %(span)s") % words

    def run(self, visit: Visit) -> Outcome:
        visit.begin()
        return WaitUntil(visit.now + times.span(self.within))

    def resume(self, visit: Visit) -> Outcome:
        for one in visit.happened:
            if (
                one.name == self.event
                and one.at >= visit.begun
                and one.key != visit.context.get("event_key")
                and (self.about != "order" or one.order_id == visit.enrolment.order_id)
            ):
                return Choose(THEN)
        over = visit.until is None or visit.now >= visit.until
        return Choose(ELSE) if over else WaitUntil(visit.until or visit.now)

    def events(self) -> frozenset[str]:
        return frozenset({self.event})

    def lanes(self) -> tuple[str, ...]:
        return (THEN, ELSE)
