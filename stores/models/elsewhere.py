"""Sales channels outside WooCommerce, and the files in which their orders come."""

from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from postpurchase import clock
from stores.models.orders import Order


class Channel(models.Model):
    """Where orders from elsewhere are made: a marketplace, a shop, a till. `name` stands in `Order.channel`.

    Marketplaces as a rule forbid writing to their buyers about anything but the order, so that is the default.
    """

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="channels")
    name = models.CharField(
        max_length=40,
        validators=[
            RegexValidator(r"^[a-z0-9][a-z0-9_-]*$", _("Use small letters, digits, hyphens and underscores only."))
        ],
    )
    contact = models.CharField(max_length=10, choices=Order.Contact.choices, default=Order.Contact.ORDER_ONLY)
    # How its last file was read: {"columns": {field: column name}, "decimal": ",", "day_first": true}.
    mapping = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "name"], name="channel_name")]

    def __str__(self) -> str:
        return self.name


class OrderFile(models.Model):
    """A file of orders on its way in: uploaded, mapped, tried, imported. Its contents are deleted after the import."""

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="order_files")
    channel = models.ForeignKey(Channel, models.CASCADE, related_name="files")
    # As it was named by the person; and the contents, as UTF-8 with plain line ends.
    name = models.CharField(max_length=200)
    file = models.FileField(upload_to="orders/", blank=True)
    # How it was written: {"encoding": "cp1252", "separator": ";", "columns": [...], "size": bytes}.
    layout = models.JSONField(default=dict)
    # How it is read; the same form as `Channel.mapping`.
    mapping = models.JSONField(default=dict)
    uploaded_at = models.DateTimeField(default=clock.now)
    uploaded_by = models.ForeignKey("stores.User", models.SET_NULL, null=True, blank=True, related_name="+")
    trial = models.ForeignKey("stores.Job", models.SET_NULL, null=True, blank=True, related_name="+")
    job = models.ForeignKey("stores.Job", models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        indexes = [models.Index(fields=["store", "-uploaded_at"], name="order_file_recent")]

    def __str__(self) -> str:
        return self.name
