"""The last look before a message goes out: is it still true, wanted, allowed, timely and in season?

`judging.judge_one(message, known, now=...)` is pure: it looks at the message and at what is `Known` about it, and at
nothing else, so that sending, the reason trace and the dry run judge alike. `judge` loads what is known for a batch.
"""

from campaigns.rechecks.judging import judge_one
from campaigns.rechecks.known import (
    APPROVAL,
    ASKING,
    EXPIRE,
    HOLD,
    SEND,
    SKIP,
    WAITING,
    Known,
    Limits,
    Past,
    Rival,
    Verdict,
    asks,
    effective_klass,
    takes_slot,
)
from campaigns.rechecks.loading import judge, load
from campaigns.rechecks.rules import COUPON_LOOK, COUPON_WANTED, LATE, LOOK_AGAIN, PAUSE_LOOK, day_time

__all__ = [
    "APPROVAL",
    "ASKING",
    "COUPON_LOOK",
    "COUPON_WANTED",
    "EXPIRE",
    "HOLD",
    "LATE",
    "LOOK_AGAIN",
    "PAUSE_LOOK",
    "SEND",
    "SKIP",
    "WAITING",
    "Known",
    "Limits",
    "Past",
    "Rival",
    "Verdict",
    "asks",
    "day_time",
    "effective_klass",
    "judge",
    "judge_one",
    "load",
    "takes_slot",
]
