"""The documentation at `/docs`: guides, a page for each operation of the API, codes, permissions, and a search.

All pages are rendered from what the service knows: the OpenAPI document that it serves, the catalogues in `schemas`,
and the Markdown files in `guides`. A page is rendered when it is first requested, and kept.
"""

from __future__ import annotations

from webhook.reference.routes import bp

__all__ = ["bp"]
