"""The links of jobs that are for a POST."""

from __future__ import annotations

ACTIONS = ("confirm", "recheck", "correct", "preview_correction", "retry", "cancel", "undo")
