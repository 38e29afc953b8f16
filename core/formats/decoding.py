"""Which text are the bytes of a file, and was its encoding known or guessed?"""

from __future__ import annotations

import codecs
import re

from core.errors import BadFile
from core.formats import delimited

SAVE_AS_UTF8 = "Save it as UTF-8 (in a spreadsheet: CSV UTF-8) and try again."

_UTF32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
# Neither tabs and line ends, nor the form feed and Ctrl-Z that old programs leave.
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x19\x1c-\x1f]")
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
_HEAD = 4096


def decode(name: str, data: bytes) -> str:
    """Return the text of a file in UTF-8, with or without a byte order mark, or in UTF-16.

    Raises:
        BadFile: another encoding; the message names the first byte where it shows.
    """
    if data.startswith(_UTF32):
        raise BadFile(f"{name} is UTF-32, not UTF-8.", SAVE_AS_UTF8)
    if encoding := _utf16(data):
        try:
            return data.decode(encoding).removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            raise BadFile(f"{name} is damaged UTF-16: {error.reason}.", SAVE_AS_UTF8) from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # What was decoded is without the mark, and so is the place in it.
        whole: bytes = error.object
        row = _place(name, whole[: error.start].decode("utf-8"))
        byte = whole[error.start : error.start + 1]
        raise BadFile(
            f"{name} is not UTF-8: {row} holds the byte 0x{byte.hex().upper()}.", SAVE_AS_UTF8
        ) from error


def decode_or_guess(name: str, data: bytes) -> tuple[str, tuple[str, ...]]:
    """Return the text of a file and what was guessed about its encoding.

    Raises:
        BadFile: bytes that are no text in UTF-8, UTF-16 or Windows-1252.
    """
    try:
        return decode(name, data), ()
    except BadFile:
        if not _may_be_western(data):
            raise
    text = data.decode("cp1252")
    at = _NOT_ASCII.search(data)
    # One byte is one character, so the place of the first such byte is its place in the text.
    place = 0 if at is None else at.start()
    where = _place(name, text[:place])
    return text, (
        f"not UTF-8; read as Windows-1252 (Latin-1), a guess: {where} holds {text[place]!r}",
    )


def _may_be_western(data: bytes) -> bool:
    """Say whether bytes that are not UTF-8 can be a text in Windows-1252.

    Text that is UTF-8 but for a damaged place is not: reading it so would change every letter
    beyond ASCII without a fault. Nor is what holds one of the five bytes that mean nothing there,
    which tells most Japanese and Chinese encodings.
    """
    if data.startswith((codecs.BOM_UTF8, *_UTF16, *_UTF32)) or _CONTROL.search(data):
        return False
    try:
        data.decode("cp1252")
    except UnicodeDecodeError:
        return False
    as_utf8 = data.decode("utf-8", "surrogateescape")
    n_damaged = sum("\udc80" <= character <= "\udcff" for character in as_utf8)
    n_fine = sum(character > "\x7f" for character in as_utf8) - n_damaged
    return n_damaged > n_fine


def _utf16(data: bytes) -> str | None:
    """Return the codec of UTF-16, by its mark or because every other byte is zero."""
    if encoding := next((_UTF16[mark] for mark in _UTF16 if data.startswith(mark)), None):
        return encoding
    head = data[: min(_HEAD, len(data) // 2 * 2)]
    n_even, n_odd, half = head[::2].count(0), head[1::2].count(0), len(head) // 2
    # In English text nearly all; two thirds leave room for quotation marks and other letters.
    if 3 * n_odd > 2 * half and 20 * n_even <= half:
        return "utf-16-le"
    return "utf-16-be" if 3 * n_even > 2 * half and 20 * n_odd <= half else None


def _place(name: str, before: str) -> str:
    """Return the row, or the line, that comes or goes on after the beginning of a file."""
    ending = name[name.rfind(".") :].lower()
    if ending in (".csv", ".tsv"):
        return f"row {delimited.row_after(before, ending):,}"
    number = len(re.split(r"\r\n|\r|\n", before))
    return f"{'line' if ending == '.json' else 'row'} {number:,}"
