"""Optional packages: the extras `tracing` and `sentry` of this project, imported only if a setting needs them."""

from __future__ import annotations

from importlib.util import find_spec

_PACKAGES: dict[str, dict[str, str]] = {  # of each extra: modules, and the packages that have them
    "tracing": {
        "opentelemetry.sdk": "opentelemetry-sdk",
        "opentelemetry.exporter.otlp.proto.http": "opentelemetry-exporter-otlp-proto-http",
    },
    "sentry": {"sentry_sdk": "sentry-sdk"},
}


def missing(extra: str) -> str | None:
    """Return the first package of an extra that is not installed; None if all are."""
    return next((package for module, package in _PACKAGES[extra].items() if not _is_installed(module)), None)


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a parent package
        return False
