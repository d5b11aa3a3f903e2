"""What reviews look like as a file. They are only given out: what buyers said is not written by anybody else."""

from import_export import fields

from reviews.models import Review
from stores.resources import ExportOnly


class ReviewResource(ExportOnly):
    """One row a review."""

    order = fields.Field(attribute="order__number", column_name="order")
    product = fields.Field(attribute="product__name", column_name="product")
    product_woo_id = fields.Field(attribute="product__woo_id", column_name="product_woo_id")

    class Meta:
        model = Review
        fields = (
            "submitted_at",
            "order",
            "product",
            "product_woo_id",
            "item_name",
            "rating",
            "title",
            "text",
            "display_name",
            "language",
            "rewarded",
            "state",
            "hide_reason",
            "store_status",
            "published_at",
            "woo_id",
        )
        export_order = fields
