"""The drift report: what a night found, in words, and what it says of the faster loops."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from stores.models import Reconciliation, Store

NIGHTS = 14
# Cause: (what it is called, what it says of webhooks and polls).
CAUSES: dict[str, tuple[object, object]] = {
    "late": (
        gettext_lazy("not read yet"),
        gettext_lazy("Changed just before the check: the next poll would have brought it."),
    ),
    "new": (
        gettext_lazy("missing here"),
        gettext_lazy("Neither webhook nor poll had brought it. Old ones come from imports with an early date."),
    ),
    "changed": (
        gettext_lazy("changed, not noticed"),
        gettext_lazy("The shop dated the change, yet webhook and poll missed it. Many of these: look at the webhooks."),
    ),
    "silent": (
        gettext_lazy("changed without a date"),
        gettext_lazy("Written past WooCommerce (import, plugin, database): only this check can see it."),
    ),
    "trashed": (
        gettext_lazy("put into the bin"),
        gettext_lazy("The webhook of it was lost; lists do not show what lies in the bin."),
    ),
    "gone": (
        gettext_lazy("deleted for good"),
        gettext_lazy("WooCommerce tells nobody of it: only this check can see it."),
    ),
    "refund_gone": (
        gettext_lazy("refunds deleted"),
        gettext_lazy("WooCommerce does not date it: only this check can see it. Points were put right."),
    ),
    "back": (
        gettext_lazy("there again"),
        gettext_lazy("Was taken for deleted and is in the shop again."),
    ),
    "unlisted": (
        gettext_lazy("left out of lists"),
        gettext_lazy(
            "Answers by its id, but the shop's lists leave it out (a status of a removed plugin, or a cache)."
        ),
    ),
}
MISSED = ("new", "changed", "trashed")


@dataclass(frozen=True)
class Night:
    """One line of the table."""

    run: Reconciliation
    number: int
    causes: list[tuple[int, str, str]]
    says: str


def nights(store: Store) -> list[Night]:
    """The last fourteen comparisons, the newest first."""
    return [_night(run) for run in store.reconciliations.order_by("-started_at", "-pk")[:NIGHTS]]


def _night(run: Reconciliation) -> Night:
    causes = [
        (run.causes[cause], str(name), str(why)) for cause, (name, why) in CAUSES.items() if run.causes.get(cause)
    ]
    return Night(run, sum(number for number, _name, _why in causes), causes, says(run.causes))


def says(causes: dict[str, int]) -> str:
    """What the numbers of a night say of webhooks and polls."""
    if not causes:
        return _("Webhooks and polls had missed nothing.")
    missed = sum(causes.get(cause, 0) for cause in MISSED)
    if missed:
        return ngettext(
            "Webhooks and polls had missed %(n)d object.", "Webhooks and polls had missed %(n)d objects.", missed
        ) % {"n": missed}
    return _("Nothing that a webhook or a poll could have seen.")


def sentence(causes: dict[str, int]) -> str:
    """A night in one sentence, for the job's page and the command line."""
    listed = ", ".join(f"{causes[cause]} {name}" for cause, (name, _why) in CAUSES.items() if causes.get(cause))
    return f"{listed}. {says(causes)}" if listed else says(causes)


def add(run: Reconciliation, causes: dict[str, int]) -> None:
    """Count differences into a run, in the present transaction."""
    if not causes:
        return
    fresh = Reconciliation.objects.select_for_update().get(pk=run.pk)
    for cause, number in causes.items():
        fresh.causes[cause] = fresh.causes.get(cause, 0) + number
    fresh.save(update_fields=["causes"])
    run.causes = fresh.causes


def open_questions(store: Store) -> Iterable[Reconciliation]:
    """Comparisons that wait for a person."""
    return store.reconciliations.filter(status=Reconciliation.Status.ASKS).order_by("-started_at")
