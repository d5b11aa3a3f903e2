"""Liquid with its teeth drawn: merchants write templates, so loops, memory and reach are limited.

Only dict, list, str, Decimal, int, bool and None go in; nothing in a template can reach a Python object. `safe` is gone
(it would undo escaping), `date` too (its width field allocates memory; dates come formatted), and nothing loads files.
"""

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from functools import lru_cache, wraps
from typing import Any

from babel.dates import format_date
from django.conf import settings
from liquid import BoundTemplate, Environment, Mode, StrictUndefined
from liquid.ast import BlockNode
from liquid.builtin.expressions.primitive import RangeLiteral
from liquid.exceptions import FilterArgumentError, LiquidError, UndefinedError
from liquid.filter import with_context

from postpurchase import money
from postpurchase.errors import BusinessError

RANGE_LIMIT = 1000
VALUE_LIMIT = 20_000
WEIGHT_LIMIT = 200_000
PRODUCT_LIMIT = 4_000_000
SOURCE_LIMIT = 20_000
# Of the processor, for one message with all its parts: a waiting machine stops no good template.
SECONDS = 0.4
_ADDRESS = re.compile(r"https?://[^/\s]|mailto:|tel:", re.IGNORECASE)
_CURRENCY = re.compile(r"[A-Z]{3}")
_UNSEEN = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]")
_DROPPED_FILTERS = ("safe", "date", "base64_decode", "base64_url_safe_decode", "escapejs")
_DROPPED_TAGS = ("include", "render", "tablerow")


class _TooMuch(LiquidError):
    pass


def _capped_range(self: RangeLiteral, context: Any) -> range:
    # Ranges inside filters escape the loop limit: `(1..100000000) | join` would take gigabytes. A range is lazy, so its
    # length is known before anything is built.
    span = self._make_range(self.start.evaluate(context), self.stop.evaluate(context))
    if len(span) > RANGE_LIMIT:
        raise _TooMuch(f"a range of {len(span)} steps; at most {RANGE_LIMIT} are allowed", token=self.token)
    return span


RangeLiteral.evaluate = _capped_range  # type: ignore[method-assign]


class _Watch(threading.local):
    """Until when the template that this thread renders may go on."""

    ends: float | None = None


_watch = _Watch()


def _in_time() -> None:
    if _watch.ends is not None and time.thread_time() > _watch.ends:
        raise _TooMuch(f"it works for more than {SECONDS:g} seconds", token=None)


@contextmanager
def watched() -> Iterator[None]:
    """All that is filled inside counts as one message: together it gets `SECONDS` of the processor."""
    if _watch.ends is not None:
        yield
        return
    _watch.ends = time.thread_time() + SECONDS
    try:
        yield
    finally:
        _watch.ends = None


_render_block = BlockNode.render_to_output


def _watched_block(self: BlockNode, context: Any, buffer: Any) -> int:
    # Every turn of a loop and every branch passes here; what lies between two of them is bounded by the source.
    _in_time()
    return _render_block(self, context, buffer)


BlockNode.render_to_output = _watched_block  # type: ignore[method-assign]


def _weight(part: Any) -> int:
    """Characters that a value would make; a list counts with all it holds."""
    if isinstance(part, str):
        return len(part)
    if isinstance(part, list | tuple):
        return len(part) + sum(map(_weight, part))
    return len(part) if isinstance(part, range) else 1


def _bounded(function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter whose result stays small, and which is not even begun when two long values would be multiplied."""

    @wraps(function)
    def inner(value: Any, *args: Any, **kwargs: Any) -> Any:
        _in_time()
        lengths = [len(part) for part in (value, *args) if isinstance(part, str | list | tuple | range)]
        if len(lengths) > 1 and lengths[0] * max(lengths[1:]) > PRODUCT_LIMIT:
            raise _TooMuch("a filter would make too long a text", token=None)
        result = function(value, *args, **kwargs)
        if isinstance(result, str | list | tuple) and (len(result) > VALUE_LIMIT or _weight(result) > WEIGHT_LIMIT):
            raise _TooMuch(f"a value is longer than {VALUE_LIMIT}", token=None)
        return result

    return inner


def web(value: object) -> str:
    """What may stand in a link: an address of the web, of mail or a telephone; anything else is none at all."""
    address = str(value).strip() if value is not None else ""
    return address if _ADDRESS.match(address) and not _UNSEEN.search(address) else ""


@with_context
def amount(value: object, currency: object = None, *, context: Any) -> str:
    """`{{ order.amount | money: order.currency }}`: an amount in the notation of the recipient's language."""
    if value is None or value == "":
        return ""
    if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
        raise FilterArgumentError("money needs a currency, such as money: order.currency", token=None)
    try:
        return money.show(money.parse(value), currency, _language(context))
    except ValueError as error:
        raise FilterArgumentError(str(error), token=None) from error


@with_context
def day(value: object, style: object = "medium", *, context: Any) -> str:
    """`{{ order.placed_on | day }}`: a date (2026-11-20) in the recipient's language; "short", "long" or "full"."""
    if value is None or value == "":
        return ""
    if style not in {"short", "medium", "long", "full"}:
        raise FilterArgumentError("day is short, medium, long or full", token=None)
    try:
        return format_date(date.fromisoformat(str(value)[:10]), str(style), locale=_language(context))
    except ValueError as error:
        raise FilterArgumentError(f"{str(value)[:40]!r} is no date such as 2026-11-20", token=None) from error


def _language(context: Any) -> str:
    message = context.globals.get("message")
    found = message.get("language") if isinstance(message, Mapping) else None
    return found if isinstance(found, str) and found in dict(settings.LANGUAGES) else "en"


class _Guarded(Environment):
    loop_iteration_limit = 2000
    output_stream_limit = 200_000
    local_namespace_limit = 100_000
    context_depth_limit = 8


def _environment(*, autoescape: bool) -> _Guarded:
    environment = _Guarded(tolerance=Mode.STRICT, undefined=StrictUndefined, autoescape=autoescape)
    for name in _DROPPED_FILTERS:
        environment.filters.pop(name, None)
    environment.filters |= {"web": web, "money": amount, "day": day}
    for name, function in environment.filters.items():
        environment.filters[name] = _bounded(function)
    for name in _DROPPED_TAGS:
        environment.tags.pop(name, None)
    return environment


_html, _text = _environment(autoescape=True), _environment(autoescape=False)


@lru_cache(maxsize=512)
def _parse(source: str, part: str) -> BoundTemplate:
    return (_html if part == "html" else _text).from_string(source, name=part)


def check(source: str, *, where: str) -> frozenset[str]:
    """Parse a template; the names of the variables it uses. BusinessError `template_syntax` names place and line."""
    if len(source) > SOURCE_LIMIT:
        raise BusinessError(
            f"{where} is longer than {SOURCE_LIMIT:,} characters. Nothing was saved. Shorten it.", "template_syntax"
        )
    try:
        return frozenset(str(name).partition(".")[0] for name in _parse(source, "text").analyze().globals)
    except (LiquidError, RecursionError) as error:
        said = _words(error) if isinstance(error, LiquidError) else "it is nested too deeply"
        raise BusinessError(
            f"{where}, line {_line(error, source)}: {said}. Nothing was saved. Correct that line and save again.",
            "template_syntax",
        ) from error


def fill(source: str, context: Mapping[str, Any], *, part: str) -> str:
    """Render a template; `part` is "html" (values escaped), "text", "subject" or "preheader" (as they are).

    BusinessError `template_variable` for a variable that the message does not have, `template_limit` for a template
    that wants too much; both name part and line. TypeError when the context holds anything but plain data.
    """
    plain(context)
    return fill_plain(source, context, part=part)


def fill_plain(source: str, context: Mapping[str, Any], *, part: str) -> str:
    """`fill` for a context that `plain` has looked at: the four parts of a mail share one look."""
    try:
        with watched():
            return _parse(source, part).render(**context)
    except UndefinedError as error:
        raise BusinessError(
            f"The {part}, line {_line(error, source)}: {_words(error)}. Nothing was sent. "
            "Take the variable out of the template, or use it only where the message has it.",
            "template_variable",
        ) from error
    except (LiquidError, RecursionError, ValueError, ArithmeticError, MemoryError) as error:
        raise BusinessError(
            f"The {part}, line {_line(error, source)}: {_words(error)}. Nothing was sent. Simplify the template.",
            "template_limit",
        ) from error


def plain(value: Any, depth: int = 0) -> None:
    """TypeError when the value holds anything but plain data."""
    if depth > 8:
        raise TypeError("the context is nested too deeply")
    if isinstance(value, Mapping):
        for item in value.values():
            plain(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            plain(item, depth + 1)
    # Exact types: a Markup is a str, and would go unescaped into the mail.
    elif type(value) not in {str, Decimal, int, bool, type(None)}:
        raise TypeError(f"{type(value).__name__} may not go into a template")


def _line(error: BaseException, source: str) -> int:
    token = getattr(error, "token", None)
    # A tag that never ends has no place: it is missing at the end.
    if token is None or token.start_index < 0:
        return source.count("\n") + 1
    return int(token.source.count("\n", 0, token.start_index)) + 1


def _words(error: BaseException) -> str:
    return str(getattr(error, "message", None) or error).strip().rstrip(".")
