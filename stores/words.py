"""The merchant's words for states of orders, parcels, coupons and jobs: (badge state, words, icon)."""

from django.utils.translation import gettext_lazy as _

from stores.models import Coupon, Intent, Job, Order, Shipment

Badge = tuple[str, str, str]

ORDER_STATUS: dict[str, tuple[str, object, str]] = {
    "pending": ("warn", _("Waiting for payment"), "clock"),
    "processing": ("ok", _("Paid"), "check"),
    "on-hold": ("warn", _("On hold"), "pause"),
    "completed": ("ok", _("Completed"), "check"),
    "cancelled": ("neutral", _("Cancelled"), "x"),
    "refunded": ("neutral", _("Refunded"), "refund"),
    "failed": ("bad", _("Payment failed"), "bad"),
    "checkout-draft": ("neutral", _("Draft"), "edit"),
    "trash": ("neutral", _("In the bin"), "trash"),
}
SHIPMENT_STATE: dict[str, tuple[str, object, str]] = {
    Shipment.State.PENDING: ("neutral", _("Not shipped"), "package"),
    Shipment.State.SHIPPED: ("info", _("On the way"), "truck"),
    Shipment.State.IN_TRANSIT: ("info", _("On the way"), "truck"),
    Shipment.State.OUT_FOR_DELIVERY: ("info", _("Out today"), "truck"),
    Shipment.State.PICKUP_READY: ("info", _("Waits for pick-up"), "store"),
    Shipment.State.ATTEMPTED: ("warn", _("Delivery attempted"), "warn"),
    Shipment.State.DELIVERED: ("ok", _("Delivered"), "check"),
    Shipment.State.EXCEPTION: ("bad", _("Problem"), "bad"),
    Shipment.State.RETURNED: ("neutral", _("Returned"), "back"),
}
COUPON_STATE: dict[str, tuple[str, object, str]] = {
    Coupon.State.PENDING: ("info", _("Being made"), "clock"),
    Coupon.State.LIVE: ("ok", _("Live"), "check"),
    Coupon.State.USED: ("neutral", _("Used"), "check"),
    Coupon.State.EXPIRED: ("neutral", _("Expired"), "clock"),
    Coupon.State.FAILED: ("bad", _("Could not be made"), "bad"),
    Coupon.State.ATTENTION: ("bad", _("Needs attention"), "bad"),
    Coupon.State.GONE: ("warn", _("Deleted in the store"), "trash"),
}
JOB_STATUS: dict[str, tuple[str, object, str]] = {
    Job.Status.QUEUED: ("neutral", _("Queued"), "clock"),
    Job.Status.RUNNING: ("info", _("Running"), "refresh"),
    Job.Status.PAUSED: ("warn", _("Paused"), "pause"),
    Job.Status.DONE: ("ok", _("Done"), "check"),
    Job.Status.FAILED: ("bad", _("Failed"), "bad"),
    Job.Status.CANCELLED: ("neutral", _("Cancelled"), "x"),
}

WRITE_BACK: dict[str, tuple[str, object, str]] = {
    Intent.Status.PLANNED: ("info", _("Waiting"), "clock"),
    Intent.Status.SENT: ("info", _("Sent, not yet proven"), "refresh"),
    Intent.Status.CONFIRMED: ("ok", _("Done"), "check"),
    Intent.Status.FAILED: ("bad", _("Failed"), "bad"),
    Intent.Status.ATTENTION: ("warn", _("Needs you"), "warn"),
}


def _badge(words: dict[str, tuple[str, object, str]], state: str) -> Badge:
    """A state that we do not know is shown in the shop's own word, never hidden."""
    known = words.get(state)
    return (known[0], str(known[1]), known[2]) if known else ("neutral", state.replace("-", " ").capitalize(), "info")


def order_status(order: Order) -> Badge:
    return ("neutral", str(_("In the bin")), "trash") if order.trashed_at else _badge(ORDER_STATUS, order.status)


def shipment_state(state: str) -> Badge:
    return _badge(SHIPMENT_STATE, state)


def coupon_state(coupon: Coupon) -> Badge:
    return _badge(COUPON_STATE, coupon.state)


def job_status(job: Job) -> Badge:
    return _badge(JOB_STATUS, job.status)


def write_back(intent: Intent) -> Badge:
    return _badge(WRITE_BACK, intent.status)
