"""Whether a Mach-O file's code signature still fits the file, told without Apple's tools.

A signature lists the hash of every page of the file. py2app's and thinning's changes leave the old
signature in place, so a file that is forgotten when signing looks signed, and macOS ends the
program when it loads it. Certificates are not looked at: `codesign --verify` does that on a Mac.

The layout is that of xnu's osfmk/kern/cs_blobs.h; all numbers are big-endian.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path

from resources.packaging.macho import Slice

_SUPER_BLOB = 0xFADE0CC0
_CODE_DIRECTORY = 0xFADE0C02
_CMS = 0xFADE0B01
_ENTITLEMENTS = 0xFADE7171

_ADHOC = 0x2
_RUNTIME = 0x10000

_SHA1, _SHA256 = 1, 2
_HASHES = {_SHA1: hashlib.sha1, _SHA256: hashlib.sha256}

#: The part of a code directory that all its versions share, from the magic to the page size.
_HEADER = struct.Struct(">9I4B")


@dataclass(frozen=True)
class Signature:
    """What a code signature says.

    intact: every page of the file has the hash that was signed.
    hardened: the hardened runtime is asked for, which only counts for programs.
    entitlements: a property list, b"" for none.
    """

    identifier: str
    intact: bool
    ad_hoc: bool
    hardened: bool
    entitlements: bytes = b""


def read_signature(path: Path, part: Slice) -> Signature | None:
    """The signature of a file's slice; None if it has none, or one that cannot be read."""
    if part.signature is None:
        return None
    with path.open("rb") as file:
        file.seek(part.offset)
        content = file.read(part.size)
    offset, size = part.signature
    try:
        return _signature(content, content[offset : offset + size])
    except (struct.error, ValueError, IndexError):
        return None


def _signature(content: bytes, blob: bytes) -> Signature:
    parts = _parts(blob)
    directories = [part for magic, part in parts if magic == _CODE_DIRECTORY]
    if not directories:
        raise ValueError("no code directory")
    # A file for old systems has a second one with better hashes; macOS takes the best it knows.
    best = max(directories, key=lambda part: part[37])
    flags, identifier_at = struct.unpack_from(">I4xI", best, 12)
    signed_by_certificate = any(magic == _CMS and len(part) > 8 for magic, part in parts)
    return Signature(
        identifier=best[identifier_at : best.index(b"\0", identifier_at)].decode(),
        intact=_pages_match(content, best),
        ad_hoc=bool(flags & _ADHOC) or not signed_by_certificate,
        hardened=bool(flags & _RUNTIME),
        entitlements=next((part[8:] for magic, part in parts if magic == _ENTITLEMENTS), b""),
    )


def _parts(blob: bytes) -> list[tuple[int, bytes]]:
    """(magic, bytes) of everything in a signature."""
    magic, _, count = struct.unpack_from(">III", blob)
    if magic != _SUPER_BLOB:
        raise ValueError("not a signature")
    parts = []
    for number in range(count):
        (at,) = struct.unpack_from(">I", blob, 16 + 8 * number)
        magic, size = struct.unpack_from(">II", blob, at)
        parts.append((magic, blob[at : at + size]))
    return parts


def _pages_match(content: bytes, directory: bytes) -> bool:
    """Whether the pages of `content` have the hashes that `directory` lists."""
    (_, _, _, _, hashes_at, _, _, count, limit, size, kind, _, page_bits) = _HEADER.unpack_from(
        directory
    )
    page = 1 << page_bits
    if kind not in _HASHES or limit > len(content) or count != -(-limit // page):
        return False
    return all(
        _HASHES[kind](content[start : min(start + page, limit)]).digest()[:size]
        == directory[hashes_at + number * size : hashes_at + (number + 1) * size]
        for number, start in enumerate(range(0, limit, page))
    )
