"""XML that is not well-formed is cleaned before it is parsed, whatever block its parts are in."""

from __future__ import annotations

import io
import zipfile

import pytest

from worker.stages.reading.workbooks import spreadsheetml

PART = "xl/sharedStrings.xml"
TEXT = "<sst><si><t>R&amp;D &#43;1 (212) 555&#x2d;0100, Smith & Co\x01&#x1;</t></si></sst>"
READ = "R&D +1 (212) 555-0100, Smith & Co"


@pytest.mark.parametrize("size", range(1, len(TEXT) + 1))
def test_references_are_read_alike_wherever_a_block_ends(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """R14a: a plus that is written as a reference is not lost."""
    monkeypatch.setattr(spreadsheetml, "BLOCK", size)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(PART, TEXT)
    strings = spreadsheetml._Strings()  # noqa: SLF001 - a workbook of this size would take long to write
    with zipfile.ZipFile(content) as archive:
        spreadsheetml._parse(archive, PART, strings, spreadsheetml._cleaned)  # noqa: SLF001
    assert strings.texts == [READ]
