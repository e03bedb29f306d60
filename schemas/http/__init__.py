"""Bodies of requests and responses, as pydantic models: the HTTP contract.

No view, no query: `webhook.api` and `webhook.portal` read and send them, `webhook.services` fills them.
"""
