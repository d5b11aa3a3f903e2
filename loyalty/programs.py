"""Setting up the programme: presets, rules with versions, rewards."""

from decimal import Decimal

from django.db import transaction

from loyalty.models import EarnRule, Program, Reward
from postpurchase import clock
from postpurchase.errors import BusinessError
from stores import audit
from stores.models import Store, User


def start(store: Store, *, actor: User | str, name: str = "") -> Program:
    """The programme, switched on from this moment, with the simple preset when it has no rules yet.

    Preset: 1 point per unit of currency paid for goods, 25 points per review, a point worth 0.05, 200 points for 10 off.
    """
    with transaction.atomic():
        program, new = Program.objects.get_or_create(store=store, defaults={"name": name or f"{store.name} Club"})
        if new:
            set_rule(program, kind=EarnRule.Kind.ORDER, points=Decimal(1), actor=actor)
            set_rule(program, kind=EarnRule.Kind.REVIEW, points=Decimal(25), actor=actor)
            Reward.objects.create(program=program, name=f"10 {store.currency}", points=200, amount=Decimal(10))
        program.is_on = True
        program.started_at = program.started_at or clock.now()
        program.save(update_fields=["is_on", "started_at"])
        audit.record(store, "loyalty.start", actor=actor, target=program.name)
    return program


def stop(program: Program, *, actor: User | str) -> None:
    """No further points and redemptions; balances stay as they are."""
    with transaction.atomic():
        Program.objects.filter(pk=program.pk).update(is_on=False)
        audit.record(program.store, "loyalty.stop", actor=actor, target=program.name)
    program.refresh_from_db()


def set_rule(program: Program, *, kind: str, points: Decimal, actor: User | str) -> EarnRule:
    """From now on this many points; what was earned before keeps the rule of its day. The same number changes nothing."""
    if not points.is_finite() or points <= 0 or points > 10_000:
        raise BusinessError("Points must be more than 0 and at most 10,000. Nothing was changed.", "points_range")
    with transaction.atomic():
        live = program.earn_rules.select_for_update().filter(kind=kind, ended_at=None).first()
        if live and live.points == points:
            return live
        version = (live.version if live else 0) + 1
        if live:
            live.ended_at = clock.now()
            live.save(update_fields=["ended_at"])
        rule = EarnRule.objects.create(program=program, kind=kind, version=version, points=points)
        audit.record(
            program.store,
            "loyalty.rule",
            actor=actor,
            target=kind,
            diff={"points": [str(live.points) if live else None, str(points)]},
        )
    return rule
