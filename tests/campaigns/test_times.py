"""Times of day in a shop's zone, also in the nights when clocks change."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from campaigns import times

BUCHAREST = ZoneInfo("Europe/Bucharest")


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def test_days_keep_the_time_of_day_when_clocks_go_forward():
    # 20 March 10:00 is +2, 2 April 10:00 is +3.
    assert times.add_days(utc(2026, 3, 20, 8), 13, BUCHAREST) == utc(2026, 4, 2, 7)


def test_days_keep_the_time_of_day_when_clocks_go_back():
    assert times.add_days(utc(2026, 10, 20, 7), 13, BUCHAREST) == utc(2026, 11, 2, 8)


def test_a_time_that_does_not_exist_becomes_the_next_minute_that_does():
    # 29 March 2026: 03:00 becomes 04:00.
    assert times.at_wall(datetime(2026, 3, 29, 3, 30, 20), BUCHAREST) == utc(2026, 3, 29, 1)
    assert times.at_wall(datetime(2026, 3, 29, 4, 0), BUCHAREST) == utc(2026, 3, 29, 1)


def test_a_time_that_exists_twice_is_the_first_of_the_two():
    assert times.at_wall(datetime(2026, 10, 25, 3, 30), BUCHAREST) == utc(2026, 10, 25, 0, 30)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (utc(2026, 11, 20, 7, 59), utc(2026, 11, 20, 8)),
        (utc(2026, 11, 20, 8), utc(2026, 11, 20, 8)),
        (utc(2026, 11, 20, 15, 59), utc(2026, 11, 20, 15, 59)),
        (utc(2026, 11, 20, 16), utc(2026, 11, 21, 8)),
    ],
)
def test_a_window_moves_a_moment_to_its_next_start(at, expected):
    assert times.into_window(at, time(10), time(18), BUCHAREST) == expected


def test_the_next_time_of_day_may_be_now_or_tomorrow():
    assert times.next_at(utc(2026, 11, 20, 7), time(9), BUCHAREST) == utc(2026, 11, 20, 7)
    assert times.next_at(utc(2026, 11, 20, 7, 1), time(9), BUCHAREST) == utc(2026, 11, 21, 7)


@pytest.mark.parametrize("text", ["9:00", "24:00", "10:60", "ten", ""])
def test_only_hours_and_minutes_are_a_time_of_day(text):
    with pytest.raises(ValueError):
        times.clock_time(text)
