"""Pictures of pages for the documentation: PNG with a palette, a quarter of what the browser would write."""

from __future__ import annotations

import base64
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page

MAX_BYTES = 60_000
_COLOURS = 160  # interfaces are flat: the rest are shades at the edges of letters
_PIXELS = """
async (png) => {
  const image = await createImageBitmap(new Blob([Uint8Array.from(atob(png), (c) => c.charCodeAt(0))]));
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, image.width, image.height);
  let text = "";
  for (let at = 0; at < data.length; at += 32768) text += String.fromCharCode(...data.subarray(at, at + 32768));
  return [image.width, image.height, btoa(text)];
}
"""


def shoot(page: Page, path: Path) -> None:
    """Write what the page shows now; fails if the picture is larger than a page of the documentation should load."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_with_palette(_pixels(page)))
    assert path.stat().st_size <= MAX_BYTES, f"{path.name} has {path.stat().st_size:,} bytes: show less of the page"


def _pixels(page: Page) -> NDArray[np.uint8]:
    """The page as (height, width, 3). The browser decodes its own picture, in an empty page of another context."""
    png = base64.b64encode(page.screenshot(animations="disabled", caret="hide")).decode()
    context = page.context.browser.new_context()
    try:
        width, height, data = context.new_page().evaluate(_PIXELS, png)
    finally:
        context.close()
    return np.frombuffer(base64.b64decode(data), np.uint8).reshape(height, width, 4)[:, :, :3]


def _with_palette(pixels: NDArray[np.uint8]) -> bytes:
    """PNG with the most frequent colours of (height, width, 3); every other one becomes the nearest of them."""
    height, width, _ = pixels.shape
    whole = pixels.astype(np.int64) @ (1 << 16, 1 << 8, 1)  # 0xRRGGBB: sorts faster than three columns
    values, where, counts = np.unique(whole, return_inverse=True, return_counts=True)
    colours = np.stack([values >> 16, values >> 8, values], axis=1) & 0xFF
    palette = colours[np.argsort(-counts, kind="stable")[:_COLOURS]]
    distances = ((colours[:, None, :] - palette[None, :, :]) ** 2).sum(axis=2)
    indices = distances.argmin(axis=1).astype(np.uint8)[where.reshape(-1)].reshape(height, width)
    rows = np.pad(indices, ((0, 0), (1, 0)))  # each row begins with its filter: 0, none
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),  # 8 bits, palette
        (b"PLTE", palette.astype(np.uint8).tobytes()),
        (b"IDAT", zlib.compress(rows.tobytes(), 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
