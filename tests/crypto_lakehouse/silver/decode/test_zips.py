"""The 16 hostile zips: each is refused for its own reason, and nothing of it is ever written to a path."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from crypto_lakehouse.errors import HostileArchive
from crypto_lakehouse.silver.decode.blocks import InflationBounds
from crypto_lakehouse.silver.decode.zips import member_chunks

STEM = "BTCUSDT-1m-2024-01-01"
NAME = f"{STEM}.csv"
BOUNDS = InflationBounds(max_bytes=1 << 24, max_ratio=200)
CONTENT = b"".join(b"17040672%05d,1,2,0.5,1.5,3\n" % n for n in range(500))


def zipped(*members: tuple[str, bytes], mode: int = 0o644 << 16, flags: int = 0) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = mode
            info.flag_bits |= flags
            archive.writestr(info, content)
    return buffer.getvalue()


def sound() -> bytes:
    return zipped((NAME, CONTENT))


def patched(data: bytes, local: tuple[int, bytes] | None, central: tuple[int, bytes] | None) -> bytes:
    """Overwrites bytes of the local header and of the directory entry, at offsets within each."""
    changed = bytearray(data)
    if local:
        changed[local[0] : local[0] + len(local[1])] = local[1]
    if central:
        start = changed.rindex(b"PK\x01\x02")
        changed[start + central[0] : start + central[0] + len(central[1])] = central[1]
    return bytes(changed)


def encrypted() -> bytes:
    return patched(sound(), (6, struct.pack("<H", 1)), (8, struct.pack("<H", 1)))


def unknown_method() -> bytes:
    return patched(sound(), (8, struct.pack("<H", 14)), (10, struct.pack("<H", 14)))


def wrong_crc() -> bytes:
    crc = struct.pack("<I", zlib.crc32(CONTENT) ^ 1)
    return patched(sound(), (14, crc), (16, crc))


def size_lie() -> bytes:
    size = struct.pack("<I", len(CONTENT) - 1)
    return patched(sound(), (22, size), (24, size))


def overlapping() -> bytes:
    data = sound()
    packed = struct.unpack("<I", data[18:22])[0] + 60
    return patched(data, (18, struct.pack("<I", packed)), (20, struct.pack("<I", packed)))


def two_with_one_name() -> bytes:
    with pytest.warns(UserWarning, match="Duplicate name"):
        return zipped((NAME, CONTENT), (NAME, b"other\n"))


def nested() -> bytes:
    return zipped((f"{STEM}.zip", sound()))


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "bomb": (lambda: zipped((NAME, b"0" * (1 << 23))), "a bomb"),
    "nested zip": (nested, "expected is"),
    "parent path": (lambda: zipped((f"../{NAME}", CONTENT)), "expected is"),
    "absolute path": (lambda: zipped((f"/{NAME}", CONTENT)), "expected is"),
    "Windows path": (lambda: zipped((f"C:\\{NAME}", CONTENT)), "expected is"),
    "symbolic link": (lambda: zipped((NAME, b"/etc/passwd"), mode=0o120777 << 16), "symbolic link"),
    "one name twice": (two_with_one_name, "holds 2 members"),
    "two members": (lambda: zipped((NAME, CONTENT), ("fsx-data/more.csv", CONTENT)), "holds 2 members"),
    "wrong member name": (lambda: zipped(("ETHUSDT-1m-2024-01-01.csv", CONTENT)), "expected is"),
    "size lie": (size_lie, "declared are"),
    "overlapping entries": (overlapping, "overlaps itself"),
    "encrypted": (encrypted, "encrypted"),
    "bytes before and after": (lambda: b"#!/bin/sh\n" + sound() + b"tail", "bytes"),
    "no member": (zipped, "holds 0 members"),
    "unknown method": (unknown_method, "compression method 14"),
    "bad CRC": (wrong_crc, "CRC of the content"),
}


def read(path: Path) -> bytes:
    return b"".join(member_chunks(path, STEM, BOUNDS))


def test_there_are_sixteen_kinds() -> None:
    assert len(HOSTILE) == 16


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_zip_is_refused_with_its_reason_and_writes_nothing(kind: str, tmp_path: Path) -> None:
    make, reason = HOSTILE[kind]
    path = tmp_path / f"{STEM}.zip"
    path.write_bytes(make())
    with pytest.raises(HostileArchive, match=reason):
        read(path)
    assert [one.name for one in tmp_path.rglob("*")] == [path.name]


def test_a_sound_zip_gives_its_content(tmp_path: Path) -> None:
    path = tmp_path / f"{STEM}.zip"
    path.write_bytes(sound())
    assert read(path) == CONTENT


def test_a_bomb_that_lies_about_its_size_is_stopped_while_inflating(tmp_path: Path) -> None:
    small = struct.pack("<I", 100)
    path = tmp_path / f"{STEM}.zip"
    path.write_bytes(patched(zipped((NAME, b"0" * (1 << 25))), (22, small), (24, small)))
    inflated = 0
    with pytest.raises(HostileArchive, match="a bomb"):
        for chunk in member_chunks(path, STEM, BOUNDS):
            inflated += len(chunk)
    assert inflated < BOUNDS.max_bytes + (9 << 20)


@pytest.mark.parametrize("length", [0, 1, 20, 45, 200, -30, -22, -1])
def test_a_truncated_zip_is_refused(length: int, tmp_path: Path) -> None:
    path = tmp_path / f"{STEM}.zip"
    path.write_bytes(sound()[:length])
    with pytest.raises(HostileArchive):
        read(path)


def test_no_single_flipped_bit_changes_the_content_unseen(tmp_path: Path) -> None:
    data, path = sound(), tmp_path / f"{STEM}.zip"
    refused = 0
    for place in range(0, len(data) * 8, max(1, len(data) * 8 // 400)):
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        try:
            assert read(path) == CONTENT
        except HostileArchive:
            refused += 1
    # Most bits matter; those that do not, such as time stamps, leave the content as it is.
    assert refused > 300
