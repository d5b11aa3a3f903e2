"""A flow that nothing starts but a person, who chooses orders or customers of a list (`campaigns.triggers.by_hand`)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext_lazy

from campaigns.triggers.base import Occurrence, Trigger, register
from stores.models import Store


@register("manual", label=gettext_lazy("you choose people by hand"), group=gettext_lazy("By hand"), subject="customer")
@dataclass(frozen=True)
class ByHand(Trigger):
    """Nobody enters but who is chosen."""

    def history(self, store: Store, since: datetime, until: datetime) -> Iterator[Occurrence]:
        return iter(())
