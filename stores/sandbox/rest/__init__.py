"""The wc/v3 routes, one module a resource. Handlers take (store, request, ids...) and give a Response."""
