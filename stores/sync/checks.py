"""What the System page, `doctor` and the health address say about the link to the shop."""

from collections.abc import Iterator
from datetime import timedelta

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from postpurchase import clock
from stores import hooks, registries
from stores.models import Job, Quarantined, Store, SyncCursor, SyncTask, WebhookEndpoint
from stores.registries import Check
from stores.sync import backfill, poll, tasks

# A poll that is this much later than it should be is worth a word.
LATE = timedelta(minutes=10)


def checks(store: Store) -> Iterator[Check]:
    """Five lines: the shop answers, polls are fresh, webhooks arrive, nothing is put aside, the history is here."""
    connect_url = reverse("connect", args=[store.slug])
    yield _reachable(store, connect_url)
    yield _polled(store)
    yield _hooked(store, connect_url)
    yield from _loops(store)
    yield _quarantine(store)
    yield _history(store)


def _reachable(store: Store, url: str) -> Check:
    ok = store.state == Store.State.CONNECTED
    if ok and not store.can_write:
        return Check(
            _("Shop"),
            False,
            _("The shop answers, but its keys may only read: coupons and reviews are not written."),
            _("Make keys with “Read/Write” permission and connect again."),
            url,
            "warn",
        )
    junk = store.capabilities.get("pollution")
    if ok and junk:
        return Check(
            _("Shop"),
            False,
            _("The shop prints notices into its answers. They are stepped over; nothing is lost."),
            _("Switch off the display of PHP notices: “%(junk)s”") % {"junk": str(junk)[:120]},
            level="warn",
        )
    if ok and store.capabilities.get("cached"):
        return Check(
            _("Shop"),
            False,
            _("A cache in front of the shop answers with old data. It is passed by; nothing is lost."),
            _("Ask the host, or whoever set up the cache, to leave /wp-json/ out of it."),
            level="warn",
        )
    words = {
        Store.State.NEW: _("The store is not connected yet."),
        Store.State.CONNECTED: _("The shop answers."),
    }
    return Check(
        _("Shop"),
        ok,
        words.get(Store.State(store.state)) or store.state_reason or _("The shop does not answer."),
        "" if ok else _("It is tried again by itself. If it does not come back, connect it again."),
        url,
    )


def _polled(store: Store) -> Check:
    doubt = (
        SyncTask.objects.filter(store=store, key__startswith="poll:", error_code__in=["cached", "empty_list"])
        .order_by("key")
        .first()
    )
    if doubt:
        return Check(_("Polling"), False, doubt.error, _("Nothing was deleted. It is asked again every five minutes."))
    row = SyncCursor.objects.filter(store=store, entity="order").first()
    task = SyncTask.objects.filter(store=store, key="poll:order").first()
    at = row.polled_at if row else None
    fresh = at is not None and clock.now() - at < poll.ORDERS_EVERY + LATE
    if at is None:
        sentence = _("The shop's orders have not been asked for yet.")
    else:
        minutes = int((clock.now() - at).total_seconds() // 60)
        sentence = ngettext(
            "The shop's orders were asked for %(n)s minute ago.",
            "The shop's orders were asked for %(n)s minutes ago.",
            minutes,
        ) % {"n": minutes}
    blind = [entity for entity in poll.ENTITIES if store.capabilities.get(f"modified_after:{entity}") is False]
    if fresh and blind:
        return Check(
            _("Polling"),
            False,
            _("This version of WooCommerce cannot say what changed (%(lists)s).") % {"lists": ", ".join(blind)},
            _(
                "New ones come with each poll; changes of old ones within six hours. Update WooCommerce to have them sooner."
            ),
            level="warn",
        )
    return Check(
        _("Polling"),
        fresh,
        sentence,
        "" if fresh else (task.error if task and task.error else _("See whether the worker runs.")),
    )


def _hooked(store: Store, url: str) -> Check:
    if store.polling_only:
        return Check(
            _("Webhooks"),
            True,
            _(
                "Off, as you chose. Orders are asked for every %(n)s minutes, so a change is seen within %(most)s; products, "
                "coupons and reviews within a quarter of an hour."
            )
            % {"n": _minutes(poll.ORDERS_EVERY), "most": _minutes(poll.ORDERS_EVERY) + 1},
        )
    rows = list(WebhookEndpoint.objects.filter(store=store))
    if not store.capabilities.get("webhooks", True):
        return Check(
            _("Webhooks"),
            False,
            _("The shop cannot call this program. It is asked every five minutes: changes are seen within six.")
            if store.can_write
            else _("Keys that may only read make no webhooks. The shop is asked every five minutes instead."),
            _("Set PUBLIC_URL to an address that the shop can reach, then connect again.")
            if store.can_write
            else _("Make keys with “Read/Write” permission and connect again."),
            url,
            "warn",
        )
    # Refused are topics that this version of WooCommerce does not have.
    missing = [row.topic for row in rows if row.state not in {"active", "refused"}]
    refused = sum(row.refused for row in rows)
    if not rows or missing:
        return Check(
            _("Webhooks"),
            False,
            _("Webhooks are missing in the shop: %(topics)s.") % {"topics": ", ".join(missing) or _("all")},
            _("They are made again within the hour; after repeated losses less often. Polling fills the gap."),
            level="warn",
        )
    if loss := hooks.last_loss(store):
        at, topics, times = loss
        return Check(
            _("Webhooks"),
            False,
            _("The shop had lost or switched off webhooks (%(topics)s). They were made again at %(at)s.")
            % {"topics": ", ".join(topics), "at": at.astimezone(store.tz).strftime("%Y-%m-%d %H:%M")},
            _("What changed meanwhile was fetched; nothing was lost.")
            if times == 1
            else _("Nothing was lost, but it repeats: let the shop's firewall and plugins call this program."),
            level="warn",
        )
    if share := hooks.silent_share(store):
        return Check(
            _("Webhooks"),
            False,
            _(
                "Of %(changed)s orders that changed in the last day, the shop told of %(told)s. Polling found the others."
            )
            % {"changed": share[1], "told": share[1] - share[0]},
            _(
                "Nothing was lost, but it came later. Ask the host whether WP-Cron runs and whether the shop may call "
                "itself (loopback requests); WooCommerce → Status → Scheduled Actions shows what waits."
            ),
            level="warn",
        )
    last = max((row.last_at for row in rows if row.last_at), default=None)
    sentence = (
        _("All %(n)s webhooks stand; the last one came at %(at)s.")
        % {"n": len(rows), "at": last.astimezone(store.tz).strftime("%Y-%m-%d %H:%M")}
        if last
        else _("All %(n)s webhooks stand; none has come yet.") % {"n": len(rows)}
    )
    if refused:
        sentence += " " + _("%(n)s deliveries with a wrong signature were refused.") % {"n": refused}
    return Check(_("Webhooks"), True, sentence)


def _minutes(span: timedelta) -> int:
    return int(span.total_seconds() // 60)


def _loops(store: Store) -> Iterator[Check]:
    found = tasks.in_a_loop(store).order_by("key")
    some = [f"{task.entity} {task.woo_id}" for task in found[:3]]
    if some:
        yield Check(
            _("Endless changes"),
            False,
            _("The shop tells of changes without end: %(some)s. It is asked for these every five minutes at most.")
            % {"some": ", ".join(some)},
            _("A plugin of the shop saves them again and again; switch off what does. Nothing is lost here."),
            level="warn",
        )


def _quarantine(store: Store) -> Check:
    rows = Quarantined.objects.filter(store=store, solved_at=None)
    count = rows.count()
    if not count:
        return Check(_("Unreadable objects"), True, _("Everything that the shop sent could be read."))
    newest = rows.order_by("-last_at")[0]
    return Check(
        _("Unreadable objects"),
        False,
        ngettext(
            "%(n)s object of the shop could not be read and is kept aside.",
            "%(n)s objects of the shop could not be read and are kept aside.",
            count,
        )
        % {"n": count},
        _("Mend it in the shop; it is read again when it changes there. The newest: %(object)s: %(reason)s")
        % {"object": f"{newest.entity} {newest.woo_id or ''}".strip(), "reason": newest.reason},
        reverse("quarantine", args=[store.slug]),
        "warn",
        action=_("See them"),
    )


def _history(store: Store) -> Check:
    if store.backfilled_at:
        return Check(_("History"), True, _("The shop's whole history is here."))
    job = Job.objects.filter(store=store, kind=backfill.KIND).order_by("-pk").first()
    if job is None:
        return Check(_("History"), False, _("The history has not been read."), _("Connect the store."), level="warn")
    url = reverse("job", args=[store.slug, job.pk])
    sentence = _("The history is being read: %(done)s of about %(total)s. Numbers will change.") % {
        "done": job.done,
        "total": job.total,
    }
    if job.status in {Job.Status.PAUSED, Job.Status.FAILED, Job.Status.CANCELLED}:
        sentence = _("Reading the history stopped at %(done)s of about %(total)s.") % {
            "done": job.done,
            "total": job.total,
        }
    return Check(
        _("History"),
        False,
        sentence,
        job.error or _("Numbers are complete when it ends."),
        url,
        "warn",
        action=_("Look at it"),
    )


def register() -> None:
    """Called from `AppConfig.ready()`."""
    registries.add_checks(checks)
