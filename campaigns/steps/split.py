"""Send people different ways by chance, to see which way works better. The same person always goes the same way."""

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns import times
from campaigns.steps.base import Choose, Outcome, Step, Visit, register, setting
from campaigns.steps.happenings import choices, is_event, words_of

MOST_VARIANTS = 5
LONGEST_WINDOW = timedelta(days=90)


@dataclass(frozen=True)
class Variant:
    """One way; of all people `weight` parts in the sum of the weights go there. Its steps stand beside these in the file."""

    name: str
    weight: int = 1


@register("split", label=gettext_lazy("Split"), icon="branch", group="way")
@dataclass(frozen=True)
class Split(Step):
    """`variants` are named. It is measured by how many people have the event `goal` in the span `within` afterwards; no
    variant is called better before `sample` people of each have been through and their span is over (`campaigns.results`).
    """

    variants: tuple[Variant, ...] = field(
        metadata=setting(
            gettext_lazy("Ways"),
            widget="variants",
            help=gettext_lazy("One on a line: a name, a colon and how many parts of the people go there."),
        )
    )
    goal: str = field(
        default="order.placed",
        metadata=setting(gettext_lazy("What counts as success"), widget="event", choices=choices),
    )
    within: str = field(default="14 days", metadata=setting(gettext_lazy("Within"), widget="span"))
    sample: int = field(
        default=1000,
        metadata=setting(
            gettext_lazy("People for each way"),
            low=50,
            high=1_000_000,
            help=gettext_lazy("Before so many have been through, no way is called better."),
        ),
    )

    def faults(self) -> list[str]:
        wrong = []
        names = [each.name for each in self.variants]
        if not 2 <= len(names) <= MOST_VARIANTS:
            wrong.append(_("A split has 2 to %(n)d variants.") % {"n": MOST_VARIANTS})
        if len(set(names)) != len(names) or any(not name.strip() or len(name) > 40 for name in names):
            wrong.append(_("Each variant has a name of its own of 1 to 40 characters."))
        if any(not 1 <= each.weight <= 1000 for each in self.variants):
            wrong.append(_("A weight lies between 1 and 1000."))
        if not is_event(self.goal):
            wrong.append(_("There is no event %(name)s.") % {"name": self.goal})
        try:
            fits = timedelta() < times.span(self.within) <= LONGEST_WINDOW
        except ValueError:
            fits = False
        if not fits:
            wrong.append(_("within is a time such as 14 days, at most 90 days."))
        if not 50 <= self.sample <= 1_000_000:
            wrong.append(_("sample lies between 50 and 1,000,000 people."))
        return wrong

    def sentence(self) -> str:
        whole = sum(each.weight for each in self.variants)
        shares = ", ".join(f"{each.name} {100 * each.weight / whole:.0f}%" for each in self.variants)
        return _("Split by chance: %(shares)s; measured by: %(goal)s within %(span)s") % {
            "shares": shares,
            "goal": words_of(self.goal),
            "span": times.span_words(self.within),
        }

    def run(self, visit: Visit) -> Outcome:
        return Choose(self.variant_of(visit.enrolment.key, visit.uid))

    def variant_of(self, key: str, uid: str) -> str:
        """The way of the person of this enrolment key: always the same, whichever process asks and however often."""
        drawn = int.from_bytes(hashlib.sha256(f"{key}:{uid}".encode()).digest()[:8])
        point = drawn % sum(each.weight for each in self.variants)
        for each in self.variants:
            point -= each.weight
            if point < 0:
                return each.name
        raise AssertionError("the weights do not add up")

    def lanes(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.variants)
