"""Segments: a person enters or leaves one. `stores.segments` records it when it brings the members up to date, hourly."""

from dataclasses import dataclass
from typing import ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.triggers.base import register
from campaigns.triggers.plain import Recorded
from stores import event_payloads, events
from stores.event_payloads import PEOPLE
from stores.models import Event


@dataclass(frozen=True)
class _Segment(Recorded):
    """`segment` is its short name; without one every segment counts. Who was in when it was made did not enter."""

    carries: ClassVar[type] = event_payloads.InSegment

    segment: str = ""

    def wants(self, event: Event) -> bool:
        return (not self.segment or event.payload.get("segment") == self.segment) and super().wants(event)


@register(events.SEGMENT_ENTERED, label=gettext_lazy("a customer enters a segment"), group=PEOPLE, subject="customer")
@dataclass(frozen=True)
class SegmentEntered(_Segment):
    """A person meets the condition of a segment who did not before."""

    def sentence(self) -> str:
        return (
            _("a customer enters the segment %(name)s") % {"name": self.segment} if self.segment else super().sentence()
        )


@register(events.SEGMENT_LEFT, label=gettext_lazy("a customer leaves a segment"), group=PEOPLE, subject="customer")
@dataclass(frozen=True)
class SegmentLeft(_Segment):
    """A person no longer meets the condition of a segment."""

    def sentence(self) -> str:
        return (
            _("a customer leaves the segment %(name)s") % {"name": self.segment} if self.segment else super().sentence()
        )
