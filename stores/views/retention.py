"""Retention: do people come back, and how long until they do."""

from datetime import datetime
from typing import Any, cast

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from postpurchase import charts, exporting
from stores.access import DATA_EXPORT, ORDERS_VIEW, StoreRequest, store_view
from stores.insights import retention as numbers
from stores.insights.retention import Cohort, Rate, Waiting

# A cohort may be called best when this many of its months are over.
BEST_AFTER = 3


def _month(at: datetime) -> str:
    return date_format(at, "M Y")


def _levels(cohorts: list[Cohort]) -> list[dict[str, Any]]:
    """The heat table's rows: each cell with its colour step 1 to 6, hatched ones without."""
    firm = [cell.percent for one in cohorts for cell in one.cells if cell.finished and not cell.few]
    highest = max(firm, default=0) or 1
    rows = []
    for one in cohorts:
        cells = [
            {
                "percent": cell.percent,
                "again": cell.again,
                "size": cell.size,
                "hatched": "open" if not cell.finished else "few" if cell.few else "",
                "level": min(int(cell.percent * 6 / highest) + 1, 6),
            }
            for cell in one.cells
        ]
        rows.append(
            {"label": _month(one.month), "size": one.size, "cells": cells, "gap": numbers.MONTHS - 1 - len(cells)}
        )
    return rows


def _cohort_answer(cohorts: list[Cohort]) -> str:
    """The chart's answer in one sentence."""
    ripe = [
        one
        for one in cohorts
        if len(one.cells) >= BEST_AFTER and one.cells[BEST_AFTER - 1].finished and not one.cells[0].few
    ]
    if not ripe:
        return _("Too early to say: no month with 20 first-time buyers is three months old yet.")
    best = max(ripe, key=lambda one: one.cells[BEST_AFTER - 1].percent)
    return _(
        "Of the %(size)d people who first bought in %(month)s, %(percent).0f%% had ordered again within 3 months: "
        "your best month so far."
    ) % {"size": best.size, "month": _month(best.month), "percent": best.cells[BEST_AFTER - 1].percent}


def _waiting_context(found: Waiting) -> dict[str, Any]:
    if not found.came_back or found.median is None:
        return {"waiting": found, "waiting_answer": _("Nobody's second order can be counted yet.")}
    drawn = charts.curve(found.share)
    days = numbers.SECOND_ORDER_DAYS
    edges = (drawn.x((found.quarter or 0) / days), drawn.x((found.three_quarters or 0) / days))
    highest = max(found.share) or 1
    ceiling = float(drawn.up[-1].words.rstrip("%")) or highest
    return {
        "waiting": found,
        "waiting_answer": _("Half of second orders come within %(days)d days.") % {"days": found.median},
        "curve": drawn,
        "band": {"x": edges[0], "width": round(edges[1] - edges[0], 1)},
        "middle": {
            "x": drawn.x(found.median / days),
            "y": round(drawn.bottom - (drawn.bottom - drawn.top) * found.share[found.median] / ceiling, 1),
        },
        "waiting_table": [(day, found.share[day]) for day in range(30, days + 1, 30)],
    }


def _table(name: str, request: StoreRequest) -> exporting.Table | None:
    """One of the page's numbers as a table to take away."""
    if name == "rate":
        header = ["month", "active at start", "active at end", "new", "retention rate %"]
        return header, [
            [one.at, one.start, one.end, one.new, _exact(one.percent)] for one in numbers.rates(request.store)
        ]
    if name == "cohorts":
        header = ["first order", "buyers", *(f"ordered again by month {n}" for n in range(1, numbers.MONTHS))]
        found = numbers.cohorts(request.store)
        return header, [[one.month.date(), one.size, *(cell.again for cell in one.cells)] for one in found]
    if name == "second-order":
        return ["day", "ordered again %"], [
            [day, _exact(share)] for day, share in enumerate(numbers.time_to_second(request.store).share)
        ]
    return None


def _exact(percent: float | None) -> str:
    return "" if percent is None else f"{percent:.2f}"


@store_view(ORDERS_VIEW)
def retention(request: StoreRequest) -> HttpResponse:
    """The page; `?export=csv|xlsx&table=rate|cohorts|second-order` is one number as a file."""
    kind, name = request.GET.get("export", ""), request.GET.get("table", "")
    if kind in exporting.FORMATS and (table := _table(name, request)):
        if DATA_EXPORT not in request.permissions:
            raise PermissionDenied(DATA_EXPORT)
        return cast(HttpResponse, exporting.answer(f"{name}-{request.store.slug}", table, kind))
    series = numbers.rates(request.store)
    rate, year_before = series[-1], series[0]
    cohorts = numbers.cohorts(request.store)
    context = {
        "rate": rate,
        "year_before": year_before,
        "change": _change(rate, year_before),
        "series": series,
        "spark": charts.spark(
            [one.percent for one in series],
            answer=_("Retention rate over 12 months, now %(rate).1f percent") % {"rate": rate.percent or 0},
        ),
        "repeat": numbers.repeat_rate(request.store),
        "cohorts": _levels(cohorts),
        "cohort_months": range(1, numbers.MONTHS),
        "cohort_answer": _cohort_answer(cohorts),
        "few": numbers.FEW,
        "may_export": DATA_EXPORT in request.permissions,
        **_waiting_context(numbers.time_to_second(request.store)),
    }
    return render(request, "stores/retention.html", context)


def _change(now: Rate, before: Rate) -> dict[str, Any] | None:
    """How the rate moved within the year, in points; None when one of the two does not exist."""
    if now.percent is None or before.percent is None:
        return None
    points = now.percent - before.percent
    if abs(points) < 0.05:
        return {"words": _("as a year ago"), "icon": "", "good": False}
    words = _("up %(n).1f points in 12 months") if points > 0 else _("down %(n).1f points in 12 months")
    return {"words": words % {"n": abs(points)}, "icon": "up" if points > 0 else "down", "good": points > 0}
