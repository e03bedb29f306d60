"""How far property tests look: a little in `make test-long`, always the same; far in `make nightly`, always new."""

from __future__ import annotations

import os

NIGHTLY = os.environ.get("NUMBERYARD_HYPOTHESIS") == "nightly"
