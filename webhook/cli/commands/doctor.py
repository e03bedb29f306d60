"""`numberyard doctor`: checks the configuration that a process of the service would start with."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import click
import structlog

from webhook.cli.exit_codes import Exit
from webhook.cli.output import json_option
from webhook.cli.terminal import emit
from worker.doctor import examination
from worker.doctor.findings import Finding, Level


@click.command()
@json_option
def doctor(*, as_json: bool) -> Exit:
    """Check settings, database, broker, storage and mail server.

    Prints one line for each check, and for each fault how to correct it. No password is printed. Run it with the
    environment, the user and the machine of a process of the service.
    """
    # What the service would log about a fault is in the finding.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    return conclude(examination.examine(), as_json=as_json)


def conclude(findings: Iterable[Finding], *, as_json: bool) -> Exit:
    """Print the findings, each as soon as it is known, and return the exit code."""
    found = []
    for finding in findings:
        found.append(finding)
        if not as_json:
            click.echo(_line(finding))
    is_sound = all(finding.level is not Level.ERROR for finding in found)
    if as_json:
        emit({"ok": is_sound, "checks": [finding.as_json() for finding in found]})
    return Exit.OK if is_sound else Exit.FAULTY


def _line(finding: Finding) -> str:
    return f"{finding.level.upper():<7} {finding.subject}: {finding.detail} {finding.fix}".rstrip()
