"""Decodes zips of the archive: the CSV file inside is read as a stream, and never extracted to a path.

The structure is checked before a byte is inflated. An archive object has one plain deflated or stored member with the
name of its zip, and nothing before, between or after. Size, ratio and CRC are computed during inflation, because the
declared sizes of a zip may be wrong. Format: PKWARE APPNOTE 6.3.10.
"""

import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NoReturn

from isal import isal_zlib

from crypto_lakehouse.errors import HostileArchive
from crypto_lakehouse.silver.decode.blocks import Block, InflationBounds, split_blocks, whole_block
from crypto_lakehouse.silver.inputs import InputObject
from crypto_lakehouse.spec import Dataset

CHUNK_BYTES = 1 << 20
_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_END_OF_DIRECTORY_BYTES = 22
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_SIZES_FOLLOW = 0x8
_SYMLINK = 0o120000
_DESCRIPTOR_BYTES = (12, 16, 20, 24)


def zip_block(input_object: InputObject, _content: bytes, dataset: Dataset, bounds: InflationBounds) -> Block | None:
    """Returns the lines of a zip as one block, None if they are too many for one.

    Raises:
        HostileArchive: The zip is not a sound archive object.
        LakehouseError: Its lines have no known layout.
    """
    return whole_block(member_chunks(input_object.path, input_object.stem, bounds), dataset)


def zip_blocks(input_object: InputObject, dataset: Dataset, bounds: InflationBounds) -> Iterator[Block]:
    """Yields the lines of a zip of any size as blocks. After an error, blocks already yielded are void.

    Raises:
        HostileArchive: The zip is not a sound archive object.
        LakehouseError: Its lines have no known layout.
    """
    return split_blocks(member_chunks(input_object.path, input_object.stem, bounds), dataset)


def member_chunks(path: Path, stem: str, bounds: InflationBounds) -> Iterator[bytes]:
    """Yields the bytes of `<stem>.csv`, the only member of the zip, a few MiB at a time.

    Raises:
        HostileArchive: The zip is not a valid archive object; the message contains the reason. Bytes that were already
            yielded must be discarded.
    """
    member, start = _checked_member(path, stem, bounds)
    with path.open("rb") as file:
        file.seek(start)
        inflated = (
            _inflate(file, member, path) if member.compress_type == zipfile.ZIP_DEFLATED else _stored(file, member)
        )
        total, crc = 0, 0
        for chunk in inflated:
            total += len(chunk)
            if total > bounds.max_bytes or total > bounds.max_ratio * member.compress_size + CHUNK_BYTES:
                _refuse(
                    path, f"inflates beyond {bounds.max_bytes} bytes or {bounds.max_ratio:g} times its size: a bomb"
                )
            crc = isal_zlib.crc32(chunk, crc)
            yield chunk
    if total != member.file_size:
        _refuse(path, f"inflates to {total} bytes, declared are {member.file_size}")
    if crc != member.CRC:
        _refuse(path, f"CRC of the content is {crc:08x}, declared is {member.CRC:08x}")


def _refuse(path: Path, reason: str) -> NoReturn:
    raise HostileArchive(
        reason,
        "The object is left out; compare it with the bucket, and pull it again if it was replaced",
        partition=path.name,
    )


def _checked_member(path: Path, stem: str, bounds: InflationBounds) -> tuple[zipfile.ZipInfo, int]:
    """Returns the only member and where its data starts."""
    size = path.stat().st_size
    try:
        with zipfile.ZipFile(path) as archive:
            members, directory, comment = archive.infolist(), archive.start_dir, archive.comment
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError, struct.error) as error:
        _refuse(path, f"is not a readable zip: {error}")
    if len(members) != 1:
        _refuse(path, f"holds {len(members)} members, expected is exactly one")
    member = members[0]
    _check_member(path, member, stem)
    if member.file_size > bounds.max_bytes or member.file_size > bounds.max_ratio * member.compress_size + CHUNK_BYTES:
        _refuse(path, f"declares {member.file_size} bytes from {member.compress_size}: a bomb")
    start = _data_start(path, member)
    _check_places(path, member, (start, directory, size - len(comment)))
    return member, start


def _check_member(path: Path, member: zipfile.ZipInfo, stem: str) -> None:
    if member.orig_filename != f"{stem}.csv":
        _refuse(path, f"holds {member.orig_filename[:80]!r}, expected is {stem + '.csv'!r}")
    if member.flag_bits & _ENCRYPTED:
        _refuse(path, "is encrypted")
    if member.compress_type not in {zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED}:
        _refuse(path, f"uses compression method {member.compress_type}, expected is deflate")
    if (member.external_attr >> 16) & 0o170000 == _SYMLINK:
        _refuse(path, "holds a symbolic link")


def _data_start(path: Path, member: zipfile.ZipInfo) -> int:
    with path.open("rb") as file:
        file.seek(member.header_offset)
        raw = file.read(_LOCAL_HEADER.size)
        if len(raw) != _LOCAL_HEADER.size or raw[:4] != b"PK\x03\x04":
            _refuse(path, "has no local header at the offset in its directory")
        fields = _LOCAL_HEADER.unpack(raw)
        name = file.read(fields[9])
    if name != member.orig_filename.encode("utf-8" if member.flag_bits & 0x800 else "cp437", "replace"):
        _refuse(path, f"is called {name[:80]!r} in its local header and otherwise in its directory")
    if fields[3] != member.compress_type or fields[2] != member.flag_bits:
        _refuse(path, "has a local header that disagrees with its directory on method or flags")
    return int(member.header_offset + _LOCAL_HEADER.size + fields[9] + fields[10])


def _check_places(path: Path, member: zipfile.ZipInfo, places: tuple[int, int, int]) -> None:
    """Refuses unexpected bytes: before the member, between the member and the directory, or after the end."""
    start, directory, end = places
    if member.header_offset != 0:
        _refuse(path, f"has {member.header_offset} bytes before its member")
    gap = directory - (start + member.compress_size)
    if gap < 0:
        _refuse(path, "overlaps itself: the member runs into the directory")
    if gap and not (member.flag_bits & _SIZES_FOLLOW and gap in _DESCRIPTOR_BYTES):
        _refuse(path, f"has {gap} bytes between its member and its directory")
    with path.open("rb") as file:
        file.seek(max(0, end - _END_OF_DIRECTORY_BYTES))
        if file.read(4) != b"PK\x05\x06":
            _refuse(path, "has bytes after its end")


def _inflate(file: BinaryIO, member: zipfile.ZipInfo, path: Path) -> Iterator[bytes]:
    inflater = isal_zlib.decompressobj(wbits=-15)
    remaining = member.compress_size
    pending = b""
    try:
        while not inflater.eof:
            if not pending:
                pending = file.read(min(CHUNK_BYTES, remaining))
                remaining -= len(pending)
                if not pending:
                    _refuse(path, "ends in the middle of its compressed data")
            # The output is bounded, so that a bomb is detected before a whole chunk is inflated.
            chunk = inflater.decompress(pending, 8 * CHUNK_BYTES)
            pending = inflater.unconsumed_tail
            if chunk:
                yield chunk
    except isal_zlib.error as error:  # type: ignore[misc]
        _refuse(path, f"does not inflate: {error}")
    if remaining or inflater.unused_data:
        _refuse(path, f"has {remaining + len(inflater.unused_data)} bytes after its compressed data")


def _stored(file: BinaryIO, member: zipfile.ZipInfo) -> Iterator[bytes]:
    remaining = member.compress_size
    while remaining and (chunk := file.read(min(CHUNK_BYTES, remaining))):
        remaining -= len(chunk)
        yield chunk
