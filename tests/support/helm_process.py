"""Helm in a process of its own: `python -m tests.support.helm_process` renders a chart for each of several values.

Reads `{"chart": folder, "values": [...]}` from standard input; writes one result for each: `{"files": {...}}` or
`{"error": text}`. The library is Helm's own, in Go: its run time stays out of the process of the tests.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import helm_python


def results(folder: str, values: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what `helm template` would write: the rendered files by name, or the error."""
    found: list[dict[str, Any]] = []
    with helm_python.Chart.load(folder) as chart:
        for each in values:
            try:
                chart.validate_schema(each)
                found.append({"files": chart.render(each, name="example", namespace="telephony")})
            except helm_python.HelmError as error:
                found.append({"error": str(error)})
    return found


def main() -> None:
    """Render what standard input asks for, and lint the chart with the first values."""
    asked = json.loads(sys.stdin.read())
    lint = helm_python.lint(asked["chart"], asked["values"][0], strict=True)
    json.dump({"results": results(asked["chart"], asked["values"]), "lint": lint}, sys.stdout)


if __name__ == "__main__":
    main()
