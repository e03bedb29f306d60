"""`numberyard webhooks`."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.api_client import Door
from tests.support.cli_runner import Cli, told
from tests.support.files import sheets
from tests.support.servers.callback_receiver import NETWORK, receiving
from webhook.cli.exit_codes import Exit
from worker.callbacks import send_webhooks


def test_a_subscription_from_its_beginning_to_its_end(cli: Cli, api: Door, configure: Callable[..., None]) -> None:
    configure(callback_networks=NETWORK)
    with receiving() as receiver:
        assert "No webhooks yet." in cli("webhooks", "list").stderr
        added = cli("webhooks", "add", receiver.url, "--event", "job.*", "--description", "Billing")
        assert added.stdout.startswith("whsec_")
        (subscription,) = told(cli("webhooks", "list", "--json"))["data"]
        own = subscription["id"]
        assert own in added.stderr
        shown = cli("webhooks", "show", own).stdout
        assert "Billing" in shown
        assert "whsec_" not in shown
        assert "Queued" in cli("webhooks", "test", own).stderr
        api.upload(sheets.csv_bytes(sheets.rows(1)))
        send_webhooks.send_due()
        assert [got.event["type"] for got in receiver.got] == ["webhook.test", "job.completed"]
        listed = cli("webhooks", "messages", own).stdout
        assert listed.index("job.completed") < listed.index("webhook.test")
        assert "DELIVERED" in cli("webhooks", "messages", own, receiver.ids[0]).stdout
        assert cli("webhooks", "replay", own, receiver.ids[0]).exit_code == Exit.OK
        rotated = cli("webhooks", "rotate", own)
        assert rotated.stdout.startswith("whsec_")
        assert rotated.stdout != added.stdout
        assert "also signs until" in rotated.stderr
        changed = told(cli("webhooks", "update", own, "--off", "--event", "number.*", "--json"))
        assert (changed["enabled"], changed["events"]) == (False, ["number.*"])
        assert cli("webhooks", "update", own).exit_code == Exit.USAGE
        assert cli("webhooks", "test", own).exit_code == Exit.REFUSED
        assert cli("webhooks", "delete", own).exit_code == Exit.OK
        assert cli("webhooks", "show", own).exit_code == Exit.NOT_FOUND


def test_secrets_in_every_format(cli: Cli, configure: Callable[..., None]) -> None:
    configure(callback_networks=NETWORK)
    with receiving() as receiver:
        added = cli("webhooks", "add", receiver.url, "--fields", "id,secret", "--no-header")
    own, secret = added.stdout.rstrip("\n").split("\t")
    assert secret.startswith("whsec_")
    header, row = (line.split("\t") for line in cli("webhooks", "rotate", own, "--output", "tsv").stdout.splitlines())
    rotated = dict(zip(header, row, strict=True))
    assert (rotated["Subscription"], rotated["Secret"].startswith("whsec_")) == (own, True)
    assert rotated["Secret"] != secret
    assert rotated["Previous until"].endswith("Z")
    queued = cli("webhooks", "test", own, "--fields", "type", "--no-header")
    assert queued.stdout == "webhook.test\n"
    assert cli("webhooks", "delete", own, "--fields", "id,deleted").stdout == f"id\tdeleted\n{own}\ttrue\n"
    header, row = (line.split("\t") for line in cli("callbacks", "secret", "--output", "tsv").stdout.splitlines())
    assert header == ["Secret", "Created", "Previous until"]
    assert cli("callbacks", "secret").stdout == f"{row[0]}\n"
    new = cli("callbacks", "rotate", "--fields", "secret", "--no-header").stdout
    assert cli("callbacks", "secret").stdout == new != f"{row[0]}\n"
