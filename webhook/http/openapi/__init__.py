"""The OpenAPI document: what routes declare for it, and what completes the framework's version of it.

`declarations` is for the routes; `document` puts the parts together.
"""
