"""The mirror of the merchant's shop, and what the other apps stand on. One module per subject."""

from stores.models.audit import ApiKey, AuditEvent, Counter, Heartbeat, IdempotencyKey
from stores.models.catalog import Category, Product, StoreReview
from stores.models.connecting import ConnectAttempt
from stores.models.coupons import Coupon
from stores.models.elsewhere import Channel, OrderFile
from stores.models.events import Event, EventDelivery
from stores.models.health import RequestHour
from stores.models.inbox import Delivery, Quarantined, SyncCursor, SyncTask, WebhookEndpoint
from stores.models.intents import Intent
from stores.models.jobs import Job
from stores.models.orders import CouponLine, Order, OrderLine, Refund
from stores.models.outgoing import MessageRequest
from stores.models.people import Customer
from stores.models.reconcile import Absence, Reconciliation
from stores.models.segments import Segment, SegmentDay, SegmentStay
from stores.models.shipments import Shipment
from stores.models.shop import Membership, Store, User

__all__ = [
    "Absence",
    "ApiKey",
    "AuditEvent",
    "Category",
    "Channel",
    "ConnectAttempt",
    "Counter",
    "Coupon",
    "CouponLine",
    "Customer",
    "Delivery",
    "Event",
    "EventDelivery",
    "Heartbeat",
    "IdempotencyKey",
    "Intent",
    "Job",
    "Membership",
    "MessageRequest",
    "Order",
    "OrderFile",
    "OrderLine",
    "Product",
    "Quarantined",
    "Reconciliation",
    "Refund",
    "RequestHour",
    "Segment",
    "SegmentDay",
    "SegmentStay",
    "Shipment",
    "Store",
    "StoreReview",
    "SyncCursor",
    "SyncTask",
    "User",
    "WebhookEndpoint",
]
