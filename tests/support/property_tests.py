"""How far property tests look: a little in `make test-long`, the same every time; far in `make nightly`, anew each time."""

from __future__ import annotations

import os

NIGHTLY = os.environ.get("NUMBERYARD_HYPOTHESIS") == "nightly"
