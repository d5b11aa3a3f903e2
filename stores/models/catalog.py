"""Products, categories and the shop's own product reviews."""

from django.db import models


class Mirrored(models.Model):
    """What every mirrored object carries: its id there, when it changed there, and its last body."""

    woo_id = models.BigIntegerField()
    modified_gmt = models.DateTimeField(null=True, blank=True)
    content_hash = models.CharField(max_length=40, blank=True)
    # When the request began that brought this body: of two bodies of the same second, the later asked wins.
    fetched_at = models.DateTimeField(null=True, blank=True)
    trashed_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)
    raw = models.JSONField(default=dict)

    class Meta:
        abstract = True


class Category(Mirrored):
    """A product category. Written by `stores.sync.apply`."""

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="categories")
    name = models.CharField(max_length=200)
    slug = models.CharField(max_length=200, blank=True)
    parent_woo_id = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "woo_id"], name="category_woo")]

    def __str__(self) -> str:
        return self.name


class Product(Mirrored):
    """A product or, with `parent`, a variation. Names are decoded from HTML once. Written by `stores.sync.apply`."""

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="products")
    parent = models.ForeignKey("self", models.CASCADE, null=True, blank=True, related_name="variations")
    kind = models.CharField(max_length=20, default="simple")
    name = models.CharField(max_length=300)
    sku = models.CharField(max_length=120, blank=True)
    status = models.CharField(max_length=20, default="publish")
    price = models.DecimalField(max_digits=15, decimal_places=4, null=True, blank=True)
    # Before a sale; and what one costs the merchant, where the shop keeps that.
    regular_price = models.DecimalField(max_digits=15, decimal_places=4, null=True, blank=True)
    cost = models.DecimalField(max_digits=15, decimal_places=4, null=True, blank=True)
    stock_status = models.CharField(max_length=20, blank=True)
    stock_quantity = models.IntegerField(null=True, blank=True)
    reviews_allowed = models.BooleanField(default=True)
    virtual = models.BooleanField(default=False)
    permalink = models.URLField(max_length=500, blank=True)
    image_url = models.URLField(max_length=500, blank=True)
    category_ids = models.JSONField(default=list)
    related_ids = models.JSONField(default=list)
    upsell_ids = models.JSONField(default=list)
    cross_sell_ids = models.JSONField(default=list)
    average_rating = models.DecimalField(max_digits=4, decimal_places=2, default=0)
    rating_count = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "woo_id"], name="product_woo")]

    def __str__(self) -> str:
        return self.name


class StoreReview(Mirrored):
    """A review as the shop holds it, ours and others'. Written by `stores.sync.apply`."""

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="store_reviews")
    product = models.ForeignKey(Product, models.CASCADE, null=True, blank=True, related_name="store_reviews")
    customer = models.ForeignKey("stores.Customer", models.SET_NULL, null=True, blank=True)
    status = models.CharField(max_length=20)
    reviewer = models.CharField(max_length=200, blank=True)
    email_key = models.CharField(max_length=254, blank=True)
    rating = models.PositiveSmallIntegerField(default=0)
    text = models.TextField(blank=True)
    verified = models.BooleanField(default=False)
    created_gmt = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "woo_id"], name="store_review_woo")]
        indexes = [models.Index(fields=["store", "-created_gmt"], name="store_review_recent")]

    def __str__(self) -> str:
        return f"{self.rating} by {self.reviewer}"
