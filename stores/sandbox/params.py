"""Checking parameters as WordPress does: all at once, each with its message, unknown ones ignored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .clock import StoreClock
from .wire import Body, RestError

# A check gives (value, None) or (None, (code, message, data)).
Fault = tuple[str, str, Any]
Check = Callable[[str, Any], tuple[Any, Fault | None]]


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])}, and {names[-1]}"


def _integer(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    try:
        return int(str(value).strip())
    except ValueError:
        return None


def integer(*, minimum: int | None = None, maximum: int | None = None) -> Check:
    def check(name: str, value: Any) -> tuple[Any, Fault | None]:
        number = _integer(value)
        if number is None:
            return None, ("rest_invalid_type", f"{name} is not of type integer.", {"param": name})
        text = ""
        if minimum is not None and maximum is not None and not minimum <= number <= maximum:
            text = f"{name} must be between {minimum} (inclusive) and {maximum} (inclusive)"
        elif minimum is not None and number < minimum:
            text = f"{name} must be greater than or equal to {minimum}"
        return (None, ("rest_out_of_bounds", text, None)) if text else (number, None)

    return check


def boolean(name: str, value: Any) -> tuple[Any, Fault | None]:
    if str(value).lower() in ("1", "true"):
        return True, None
    if str(value).lower() in ("0", "false", ""):
        return False, None
    return None, ("rest_invalid_type", f"{name} is not of type boolean.", {"param": name})


def text(name: str, value: Any) -> tuple[Any, Fault | None]:
    if isinstance(value, dict | list):
        return None, ("rest_invalid_type", f"{name} is not of type string.", {"param": name})
    return str(value), None


def one_of(*allowed: str) -> Check:
    def check(name: str, value: Any) -> tuple[Any, Fault | None]:
        if value in allowed:
            return value, None
        return None, ("rest_not_in_enum", f"{name} is not one of {_listed(allowed)}.", None)

    return check


def _items(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    return [part.strip() for part in str(value).replace(" ", ",").split(",") if part.strip()]


def integers(name: str, value: Any) -> tuple[Any, Fault | None]:
    found: list[int] = []
    for place, item in enumerate(_items(value)):
        number = _integer(item)
        if number is None:
            part = f"{name}[{place}]"
            return None, ("rest_invalid_type", f"{part} is not of type integer.", {"param": part})
        found.append(number)
    return found, None


def many_of(*allowed: str) -> Check:
    def check(name: str, value: Any) -> tuple[Any, Fault | None]:
        items = _items(value)
        for place, item in enumerate(items):
            if item not in allowed:
                return None, ("rest_not_in_enum", f"{name}[{place}] is not one of {_listed(allowed)}.", None)
        return items, None

    return check


def date(clock: StoreClock) -> Check:
    def check(name: str, value: Any) -> tuple[Any, Fault | None]:
        if clock.filter_date(str(value), gmt=True) is None:
            return None, ("rest_invalid_date", "Invalid date.", None)
        return str(value), None

    return check


def read(given: Mapping[str, Any], checks: Mapping[str, Check]) -> Body:
    """The known parameters, converted. Raises rest_invalid_param that names all bad ones."""
    values: Body = {}
    faults: dict[str, Fault] = {}
    for name, check in checks.items():
        if name in given:
            value, fault = check(name, given[name])
            if fault:
                faults[name] = fault
            else:
                values[name] = value
    if faults:
        raise invalid(faults)
    return values


def invalid(faults: Mapping[str, Fault]) -> RestError:
    return RestError(
        "rest_invalid_param",
        f"Invalid parameter(s): {', '.join(faults)}",
        400,
        extra={
            "params": {name: message for name, (_, message, _) in faults.items()},
            "details": {n: {"code": code, "message": text, "data": data} for n, (code, text, data) in faults.items()},
        },
    )
