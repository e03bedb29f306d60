"""What all requests share: authentication, bodies, idempotency, limits, errors, downloads, metrics.

No resource is here: `webhook.services` has the operations, `webhook.api` and `webhook.portal` the views.
"""
