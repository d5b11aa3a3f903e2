"""People who sign in, the shops, and who may do what in which."""

from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models.functions import Lower

from postpurchase import clock
from postpurchase.crypto import EncryptedTextField


class UserManager(BaseUserManager["User"]):
    """Makes users by e-mail address."""

    def create_user(self, email: str, password: str | None = None, **extra: Any) -> "User":
        user = self.model(email=self.normalize_email(email), **extra)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **extra: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **extra)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__iexact=username)


class User(AbstractBaseUser, PermissionsMixin):
    """A person who signs in with an e-mail address. The operator of the installation is `is_superuser`."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120, blank=True)
    language = models.CharField(max_length=8, default="en")
    theme = models.CharField(max_length=8, default="system", choices=[(t, t) for t in ("system", "light", "dark")])
    density = models.CharField(
        max_length=12, default="comfortable", choices=[(d, d) for d in ("comfortable", "compact")]
    )
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    joined_at = models.DateTimeField(default=clock.now)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = UserManager()

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_ci")]

    def __str__(self) -> str:
        return self.name or self.email

    def get_short_name(self) -> str:
        return self.name or self.email


class Store(models.Model):
    """One WooCommerce shop. Written by connecting, by settings pages, and (freshness) by the sync engine."""

    class State(models.TextChoices):
        NEW = "new", "Not connected"
        CONNECTED = "connected", "Connected"
        UNREACHABLE = "unreachable", "Unreachable"
        REFUSED = "refused", "Keys refused"
        # It may be another shop than before: nothing is read until a person has answered.
        DOUBT = "doubt", "Another shop?"

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=120)
    base_url = models.URLField(blank=True)
    zone = models.CharField(max_length=64, default="UTC")
    currency = models.CharField(max_length=3, default="EUR")
    decimals = models.PositiveSmallIntegerField(default=2)
    language = models.CharField(max_length=8, default="en")
    country = models.CharField(max_length=2, blank=True)
    state = models.CharField(max_length=12, choices=State.choices, default=State.NEW)
    state_reason = models.TextField(blank=True)
    # The breaker (`stores.sync.health`): failed calls in a row, good answers since it opened, probes that failed since,
    # refusals of keys that were good before, and until when the shop asked for rest.
    failures = models.PositiveSmallIntegerField(default=0)
    good_answers = models.PositiveSmallIntegerField(default=0)
    probes = models.PositiveSmallIntegerField(default=0)
    refusals = models.PositiveSmallIntegerField(default=0)
    quiet_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now)

    consumer_key = EncryptedTextField(blank=True)
    consumer_secret = EncryptedTextField(blank=True)
    auth_mode = models.CharField(
        max_length=8, default="basic", choices=[("basic", "Basic"), ("query", "Query keys"), ("oauth", "OAuth 1.0a")]
    )
    ca_file = models.CharField(max_length=255, blank=True)
    # Read the history with one request at a time and a pause after each.
    gentle = models.BooleanField(default=False)
    # A person's choice: no webhooks in the shop, it is asked every five minutes instead.
    polling_only = models.BooleanField(default=False)
    # Who writes about what, as a person chose: {"review": "theirs" or "ours"}; `stores.overlap`.
    writers = models.JSONField(default=dict, blank=True)
    can_write = models.BooleanField(default=True)
    # What the shop was found to be able to do, by behaviour: {"woo_version", "hpos", "modified_after", ...}.
    capabilities = models.JSONField(default=dict)
    probed_at = models.DateTimeField(null=True, blank=True)
    # What tells the shop from any other: {"base", "home", "at"}; its orders in the mirror are the rest of it.
    fingerprint = models.JSONField(default=dict, blank=True)

    # Facts older than this are historic: they build numbers and never start a message. Set once, at the first connect.
    live_from = models.DateTimeField(null=True, blank=True)
    # Freshness, shown on every page: last answer to a poll, last webhook, how far back the mirror is complete.
    polled_at = models.DateTimeField(null=True, blank=True)
    hooked_at = models.DateTimeField(null=True, blank=True)
    complete_since = models.DateTimeField(null=True, blank=True)
    backfilled_at = models.DateTimeField(null=True, blank=True)

    # How the shop speaks to its customers.
    mail_from = models.EmailField(blank=True)
    mail_reply_to = models.EmailField(blank=True)
    postal_address = models.TextField(blank=True)
    email_url = EncryptedTextField(blank=True)
    accent = models.CharField(max_length=7, default="#0B6E5F")
    logo_url = models.URLField(blank=True)
    # The "reach us" block: {"phone", "chat", "whatsapp", "email", "hours", "social": [..]}; missing keys are not shown.
    reach_us = models.JSONField(default=dict, blank=True)
    opt_in_meta_key = models.CharField(max_length=100, blank=True)
    language_meta_key = models.CharField(max_length=100, blank=True)
    # {"<shipping method title or id>": {"min": 1, "max": 3}} in working days; `handling_days` before shipping.
    delivery_days = models.JSONField(default=dict, blank=True)
    handling_days = models.PositiveSmallIntegerField(default=2)
    # Countries for which the merchant attests that the shop offers the objection to mails at checkout.
    soft_opt_in_countries = models.JSONField(default=list, blank=True)
    sending_paused = models.BooleanField(default=False)
    test_mode = models.BooleanField(default=False)

    members = models.ManyToManyField(User, through="Membership", related_name="stores")

    def __str__(self) -> str:
        return self.name

    @property
    def tz(self) -> ZoneInfo:
        """The shop's time zone."""
        return ZoneInfo(self.zone)


class Membership(models.Model):
    """A person's role in a shop; what each role may do is in `stores.access`."""

    class Role(models.TextChoices):
        OWNER = "owner", "Owner"
        MANAGER = "manager", "Manager"
        MARKETER = "marketer", "Marketer"
        SUPPORT = "support", "Support"
        VIEWER = "viewer", "Viewer"

    store = models.ForeignKey(Store, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=12, choices=Role.choices)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "user"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user} in {self.store}: {self.role}"
