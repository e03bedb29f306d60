"""Request and response bodies as pydantic models: the HTTP contract.

No views and no queries: `webhook.api` and `webhook.portal` receive and send them, `webhook.services` fills them.
"""
