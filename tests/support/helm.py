"""Charts rendered by Helm's own library, which a Python package brings; not on every platform."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

Json = dict[str, Any]


def rendered(chart: Path, *values: Json) -> tuple[list[Json], Json]:
    """Return a result for each of the values (`files` or `error`), and the findings of `helm lint` for the first."""
    if platform.machine() != "x86_64" and sys.platform != "darwin":
        pytest.skip("helm-python-sdk is not published for this platform")
    asked = json.dumps({"chart": str(chart), "values": values})
    command = [sys.executable, "-m", "tests.support.helm_process"]
    ended = subprocess.run(command, input=asked, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    answer: Json = json.loads(ended.stdout)
    return answer["results"], answer["lint"]


def manifests(result: Json) -> list[Json]:
    """Return the objects that Helm would send to Kubernetes."""
    assert "error" not in result, result["error"]
    texts = (text for name, text in sorted(result["files"].items()) if not name.endswith("NOTES.txt"))
    return [found for text in texts for found in yaml.safe_load_all(text) if found is not None]
