"""Orders that were not made in WooCommerce: from files, and from programs by the API. Both end in `taking.take_in`."""
