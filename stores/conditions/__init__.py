"""The typed condition tree, one engine with two answers: in SQL about many, in Python about one.

A tree is `{all: [...]}`, `{any: [...]}`, `{not: [...]}` or a leaf `{field, op, value}`; a field with a time frame also
takes `within` (days). Trees are checked when saved (`faults`), told in words (`describe`), judged for people whose
values were loaded together (`load`, `holds`), or asked of the database (`as_q`, `find`).

The written rule about what is not known: a comparison about which nothing is known does not hold, whatever the
operator, and `not` of it then holds. Both answers keep it, on both databases; a property test holds them together.
What is not known is None in Python, NULL or an empty text in SQL, and everything about an order where there is none.

    orders.py, people.py, goods.py   what may be asked here; each app registers its own in `ready()`
    operators.py                     the comparisons, each with its test and its SQL
    checking.py, words.py            faults and sentences
    judging.py, asking.py            the two answers
    builder.py                       rows of field / rule / value for pages, from and to a tree
"""

from stores.conditions.asking import as_q, find
from stores.conditions.base import (
    CUSTOMER,
    EVENT,
    LINE,
    MOMENT,
    ORDER,
    Condition,
    Field,
    Scope,
    Subject,
    fields,
    register,
)
from stores.conditions.checking import MAX_DEPTH, faults
from stores.conditions.judging import fields_of, holds, load, matches
from stores.conditions.operators import OPERATORS
from stores.conditions.orders import of_order, present_status
from stores.conditions.people import of_customer
from stores.conditions.words import describe, parts

__all__ = [
    "CUSTOMER",
    "EVENT",
    "LINE",
    "MAX_DEPTH",
    "MOMENT",
    "OPERATORS",
    "ORDER",
    "Condition",
    "Field",
    "Scope",
    "Subject",
    "as_q",
    "describe",
    "faults",
    "fields",
    "fields_of",
    "find",
    "holds",
    "load",
    "matches",
    "of_customer",
    "of_order",
    "parts",
    "present_status",
    "register",
]
