"""A headless Chromium, told over its own protocol what to show: one picture of a page behind a login."""

import asyncio
import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.waiting import STANDSTILL_SECONDS, wait_until

WIDTH, HEIGHT = 1400, 900
_PAGE_LOOKS = 1200
"""How often the page is looked at without any change, every half a second, before its words are given up."""


def chromium() -> str | None:
    """Returns the browser, where there is one."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def picture(url: str, cookie: tuple[str, str], words: list[str]) -> tuple[bytes, str]:
    """Returns a picture of a page, and its text, once all the words are on it."""
    with _browser() as port:
        return asyncio.run(_picture(port, url, cookie, words))


@contextmanager
def _browser() -> Iterator[int]:
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as home:
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]
        process = subprocess.Popen(
            [
                *(str(chromium()), *options, "--remote-debugging-port=0", f"--user-data-dir={home}"),
                *("--no-first-run", f"--window-size={WIDTH},{HEIGHT}", "about:blank"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": home},
        )
        try:
            yield _port(Path(home) / "DevToolsActivePort")
        finally:
            process.terminate()
            process.wait(STANDSTILL_SECONDS)


def _port(file: Path) -> int:
    text = wait_until(lambda: file.exists() and file.read_text())
    return int(str(text).split()[0])


async def _picture(port: int, url: str, cookie: tuple[str, str], words: list[str]) -> tuple[bytes, str]:
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
            (page,) = [target for target in await answer.json() if target["type"] == "page"]
        async with session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=1 << 26) as talk:
            await _tell(talk, "Network.setCookie", name=cookie[0], value=cookie[1], url=url)
            await _tell(talk, "Page.navigate", url=url)
            text = await _text_with(talk, words)
            await asyncio.sleep(2)
            shot = await _tell(talk, "Page.captureScreenshot", format="png")
            return base64.b64decode(shot["data"]), text


async def _text_with(talk: "aiohttp.ClientWebSocketResponse[Any]", words: list[str]) -> str:
    text, before, unchanged = "", "", 0
    while unchanged < _PAGE_LOOKS:
        before, unchanged = text, unchanged + 1 if text == before else 0
        found = await _tell(talk, "Runtime.evaluate", expression="document.body ? document.body.innerText : ''")
        text = str(found["result"].get("value", ""))
        if all(word in text for word in words):
            return text
        await asyncio.sleep(0.5)
    raise AssertionError(f"the page never showed {words}, but: {text[:2000]}")


async def _tell(talk: "aiohttp.ClientWebSocketResponse[Any]", method: str, **params: Any) -> Any:
    number = time.monotonic_ns() % 1_000_000_000
    await talk.send_json({"id": number, "method": method, "params": params})
    async for message in talk:
        said = json.loads(message.data)
        if said.get("id") == number:
            assert "error" not in said, said
            return said["result"]
    raise AssertionError("the browser hung up")
