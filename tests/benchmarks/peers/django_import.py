# mypy: disable-error-code="misc, untyped-decorator"
"""The import with django-import-export, in bulk or with its defaults.

Run in an environment of its own: `python -m tests.benchmarks.peers.django_import FILE TABLE bulk|defaults`, the
database's address in `PEER_DATABASE_URL`. Prints JSON. The time begins when all modules are loaded and ends with the
commit.

In bulk it has every switch that its documentation names for speed: no diffs, no look-up of what exists (our import does
look), no results of skipped rows. Batches of 500 to 10,000 rows take the same processor time, so they stay at its 1000.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import MutableMapping
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

import django
from django.conf import settings

from tests.benchmarks.peers.cells import e164_of, is_true

PATH, TABLE, MODE = sys.argv[1:]
URL = urlsplit(os.environ["PEER_DATABASE_URL"])
settings.configure(
    INSTALLED_APPS=["import_export"],
    USE_TZ=True,
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": URL.hostname,
            "PORT": URL.port,
            "USER": URL.username,
            "PASSWORD": URL.password,
            "NAME": URL.path.lstrip("/"),
        }
    },
)
django.setup()

from django.core.exceptions import ValidationError  # noqa: E402 - Django wants its settings first
from django.db import models  # noqa: E402
from import_export import fields, resources  # noqa: E402
from tablib import Dataset  # noqa: E402


class Number(models.Model):  # noqa: DJ008 - nobody shows it
    """A row of the inventory."""

    e164 = models.BigIntegerField(primary_key=True)
    created_job_id = models.BigIntegerField(default=1)
    changed_job_id = models.BigIntegerField(default=1)
    holder_id = models.IntegerField(default=1)
    uploader_id = models.IntegerField(default=1)
    voice = models.BooleanField()
    sms = models.BooleanField()
    fax = models.BooleanField()
    country = models.TextField()

    class Meta:
        """A table that is there already."""

        app_label = "import_export"  # one that is installed: copies of rows look the model up there
        db_table = TABLE
        managed = False


class Numbers(resources.ModelResource):
    """Rows of the spreadsheet: what is no valid number, or the second of its kind, is an invalid row."""

    e164 = fields.Field("e164", "Phone Number", widget=resources.widgets.IntegerWidget())
    country = fields.Field("country", "Country Code")
    voice = fields.Field("voice", "Voice", widget=resources.widgets.BooleanWidget())
    sms = fields.Field("sms", "SMS", widget=resources.widgets.BooleanWidget())
    fax = fields.Field("fax", "Fax", widget=resources.widgets.BooleanWidget())

    class Meta:
        """Its defaults, but for the key."""

        model = Number
        fields = ("e164", "country", "voice", "sms", "fax")
        import_id_fields = ("e164",)

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - the library's
        super().__init__(**options)
        self._seen: set[int] = set()

    def before_import_row(self, row: MutableMapping[str, Any], **_options: Any) -> None:  # noqa: ANN401 - as it comes
        number = e164_of(row["Country Code"], row["Phone Number"])
        if number is None or number in self._seen:
            raise ValidationError("no valid number, or one that was there already")
        self._seen.add(number)
        row["Phone Number"] = number
        for flag in ("Voice", "SMS", "Fax"):
            row[flag] = is_true(row[flag])


class InBulk(Numbers):
    """As fast as the documentation allows."""

    class Meta(Numbers.Meta):
        """Every switch for speed."""

        use_bulk = True
        skip_diff = True
        skip_html_diff = True
        report_skipped = False
        force_init_instance = True


def main() -> None:
    resource = InBulk() if MODE == "bulk" else Numbers()
    began = perf_counter()
    with open(PATH, encoding="utf-8") as file:  # noqa: PTH123 - as its documentation has it
        dataset = Dataset().load(file.read(), format="csv")
    result = resource.import_data(dataset)
    seconds = perf_counter() - began
    if result.has_errors():
        faults = result.base_errors + [error for _, errors in result.row_errors() for error in errors]
        raise RuntimeError(f"all rolled back: {faults[0].error!r}")
    print(json.dumps({"seconds": seconds, "written": result.totals["new"], "way": MODE}))


if __name__ == "__main__":
    main()
