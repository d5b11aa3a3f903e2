"""Forms of a flow's beginning: what starts it, who may enter again, what kind of messages it sends."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns import step_forms, triggers
from campaigns.models import Flow
from campaigns.triggers import reentry

KLASS_HELP = gettext_lazy(
    "Transactional: about an order that was placed. Service: asks or helps after a purchase. Marketing: wants to sell; "
    "only people who agreed get it."
)


def trigger_choices() -> list[tuple[str, Any]]:
    """Everything that can start a flow, in its groups."""
    groups: dict[str, list[tuple[str, Any]]] = {}
    for kind in triggers.kinds().values():
        groups.setdefault(str(kind.group), []).append((kind.name, capfirst(str(kind.label))))
    return list(groups.items())


def plain_choices() -> list[tuple[str, Any]]:
    """Those without a setting that must be given; several of them may start one flow."""
    return [
        (kind.name, capfirst(str(kind.label)))
        for kind in triggers.kinds().values()
        if not step_forms.blank(kind.params)
    ]


def klass_choices() -> list[tuple[str, Any]]:
    return list(Flow.Klass.choices)


class NewFlow(forms.Form):
    """A new flow."""

    name = forms.CharField(max_length=120, label=gettext_lazy("Name"), help_text=gettext_lazy("Only you see it."))
    event = forms.ChoiceField(choices=trigger_choices, label=gettext_lazy("Starts when"))
    klass = forms.ChoiceField(
        choices=klass_choices, initial="S", label=gettext_lazy("Kind of messages"), help_text=KLASS_HELP
    )


class Start(forms.Form):
    """The beginning of a flow: trigger, re-entry, class, hold-back. Conditions have an editor of their own."""

    event = forms.ChoiceField(choices=trigger_choices, label=gettext_lazy("Starts when"))
    also = forms.MultipleChoiceField(
        choices=plain_choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label=gettext_lazy("Or when"),
        help_text=gettext_lazy("Several of these may start one flow; then none has settings of its own."),
    )
    reentry = forms.ChoiceField(
        choices=lambda: [(name, capfirst(str(said))) for name, said in reentry.RULES.items()],
        label=gettext_lazy("The same person may enter again"),
    )
    days = forms.IntegerField(
        min_value=1, max_value=3650, required=False, label=gettext_lazy("Days between, for “at most once”")
    )
    klass = forms.ChoiceField(choices=klass_choices, label=gettext_lazy("Kind of messages"), help_text=KLASS_HELP)
    holdback = forms.IntegerField(
        min_value=0,
        max_value=90,
        required=False,
        label=gettext_lazy("Hold-back, in percent"),
        help_text=gettext_lazy(
            "This part of the people gets nothing, so that you see what the flow causes. Only for marketing."
        ),
    )

    @staticmethod
    def initial_of(data: Mapping[str, Any]) -> dict[str, Any]:
        """What the form shows of a flow file."""
        names = triggers.names_of(data.get("trigger") or {})
        rule = data.get("reentry", reentry.DEFAULT)
        every = rule.get(reentry.EVERY_DAYS) if isinstance(rule, Mapping) else None
        return {
            "event": names[0],
            "also": names[1:],
            "reentry": reentry.EVERY_DAYS if every else rule,
            "days": every,
            "klass": data.get("class"),
            "holdback": data.get("holdback", 0),
        }

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or self.cleaned_data
        if said.get("reentry") == reentry.EVERY_DAYS and not said.get("days"):
            self.add_error("days", _("Say after how many days a person may enter again."))
        return said

    def apply(self, file: dict[str, Any], settings: Mapping[str, Any]) -> None:
        """Write it into a flow file, with the settings of its trigger; the conditions stay."""
        said = self.cleaned_data
        also = [name for name in said["also"] if name != said["event"]]
        where = (file.get("trigger") or {}).get("where")
        file["trigger"] = {"event": [said["event"], *also] if also else said["event"], **settings}
        if where:
            file["trigger"]["where"] = where
        every = said["reentry"] == reentry.EVERY_DAYS
        file["reentry"] = {reentry.EVERY_DAYS: said["days"]} if every else said["reentry"]
        file["class"] = said["klass"]
        if said["holdback"]:
            file["holdback"] = said["holdback"]
        else:
            file.pop("holdback", None)
