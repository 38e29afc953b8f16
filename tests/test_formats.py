"""Any file is a table or says why not, soon; what goes out comes back the same."""

from __future__ import annotations

import io
import json
import random
import struct
import sys
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core.actions import exports, home, imports
from core.actions.session import Session
from core.errors import BadFile, Problem
from core.formats import (
    EXTENSIONS,
    WRITABLE,
    Table,
    archive,
    parquet,
    parquet_reading,
    read_table,
    xlsx,
)
from core.formats import table as bounds
from core.formats import write_table as written_in_pieces

HARD = [
    "=1+1", "+1", "-1", "@x", "'=1", "#N/A", "TRUE", "2020-01-01", '"quoted"', "a,b;c\td",
    "one\ntwo\r\nthree\rfour", "\u2028 line \u2029", "a\x85b", "é e\u0301", "שלום עולם", "مرحبا",
    "\u202ebidi\u202c", "日本語のテキスト", "👩\u200d🚀🏳️\u200d🌈", "NA", "null", "1.10", "007",
    "\ufeffmark", "_x000D_", "_x005F_x000d_", "x005F_", " space ", "<b>&amp;</b>", "]]>",
]  # fmt: skip
ANY = st.sampled_from(HARD) | st.text(
    st.sampled_from("".join(HARD))
    | st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"),
    max_size=30,
)
COLUMNS = ("text", "label")


def write(ending: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> bytes:
    return b"".join(written_in_pieces(ending, columns, rows, safe=False))


def cells(table: Table) -> list[tuple[str | None, ...]]:
    return [tuple(row.get(column) for column in table.columns) for row in table.rows]


def workbook(*sheets: Sequence[Sequence[Any]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, rows in enumerate(sheets):
        sheet = book.create_sheet(f"sheet {number}")
        for row in rows:
            sheet.append(list(row))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def with_entry(data: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    """A zip file in which one file is another."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as before,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as after,
    ):
        for entry in before.namelist():
            content = before.read(entry)
            after.writestr(entry, change(content) if entry == name else content)
    return out.getvalue()


def columnar(**columns: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


SHEET = "xl/worksheets/sheet1.xml"
BOOK = workbook([["text", "label"], ["x", "a"], ["y", "b"]])
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def with_shared_strings(items: str) -> bytes:
    """A workbook whose texts stand where Excel puts them, and openpyxl does not."""
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    part = f'<Override PartName="/xl/strings.xml" ContentType="{kind}"/></Types>'.encode()
    made = with_entry(BOOK, "[Content_Types].xml", lambda old: old.replace(b"</Types>", part))
    n = items.count("<si>")
    rows = "".join(f'<row><c t="s"><v>{i}</v></c></row>' for i in range(n))
    made = with_entry(made, SHEET, lambda _: sheet_xml(rows))
    out = io.BytesIO(made)
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as book:
        book.writestr("xl/strings.xml", f'<sst xmlns="{MAIN}">{items}</sst>')
    return out.getvalue()


def sheet_xml(rows: str) -> bytes:
    return f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'.encode()


SHARED = with_shared_strings(
    "<si><t>text</t></si><si><t xml:space='preserve'> é 日 </t></si><si><t>a_x000D_b</t></si>"
    "<si><r><rPr><b/></rPr><t>bold</t></r><r><t> and not</t></r></si>"
)


# What goes out comes back


@pytest.mark.parametrize("ending", WRITABLE)
@given(rows=st.lists(st.tuples(ANY, st.none() | ANY), min_size=1, max_size=8))
@example(rows=[(text, text) for text in HARD])
@example(rows=[("x", ""), ("", None), ("y", "a")])
@settings(max_examples=40, deadline=None)
def test_what_was_written_reads_back_the_same(
    ending: str, rows: list[tuple[str, str | None]]
) -> None:
    lines = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    # Starting a process for each example would take long; the next test does it once.
    read = parquet_reading.read_parquet if ending == ".parquet" else read_table
    found = cells(read(f"f{ending}", write(ending, COLUMNS, lines)))
    if ending == ".csv":
        assert found == [(text, label or "") for text, label in rows]
    elif ending == ".xlsx":
        # A sheet knows no empty text, and has no end but its last cell.
        wanted = [(text or None, label or None) for text, label in rows]
        while wanted and wanted[-1] == (None, None):
            wanted.pop()
        assert [row if any(row) else (None, None) for row in found] == wanted
    else:
        assert found == rows


@pytest.mark.parametrize("ending", WRITABLE)
def test_an_export_of_hard_texts_comes_in_again(session: Session, ending: str) -> None:
    first, second = home.create_project("first").id, home.create_project("second").id
    lines = [{"text": text, "label": text.strip()} for text in HARD]
    content = write(".jsonl", COLUMNS, lines)
    for project, name in ((first, "f.jsonl"), (second, f"f{ending}")):
        table = imports.read_table(name, content)
        imports.import_rows(
            project,
            imports.prepare(
                project, table, {"text": ["text"], "label": ["label"]}, "train", "human"
            ),
        )
        content = b"".join(exports.export_pieces(first, ending, safe=False))
    kept = [(row["text"], row["label"]) for row in exports.export_rows(second)]
    assert kept == [(line["text"], line["label"]) for line in lines]


def test_types_go_out_as_such_and_all_else_as_text() -> None:
    row = {"n": 3, "x": 0.5, "yes": True, "tags": ["a", "é"], "of": {"k": 1}, "none": None}
    found = pq.read_table(io.BytesIO(write(".parquet", list(row), [row])))
    assert found.schema.types == [
        pa.int64(), pa.float64(), pa.bool_(), pa.string(), pa.string(), pa.string()
    ]  # fmt: skip
    assert found.to_pylist() == [row | {"tags": '["a", "é"]', "of": '{"k": 1}'}]
    sheet = openpyxl.load_workbook(io.BytesIO(write(".xlsx", list(row), [row]))).active
    assert [cell.value for cell in sheet[2]] == [3, 0.5, "true", '["a", "é"]', '{"k": 1}', None]
    assert json.loads(write(".json", list(row), [row, row])) == [row, row]
    assert json.loads(write(".json", list(row), [])) == []


def test_a_text_in_a_workbook_is_never_a_formula() -> None:
    for text in ("=1+1", '=HYPERLINK("http://x")', "+1", "#N/A", "'=1"):
        made = write(".xlsx", ["text"], [{"text": text}])
        (cell,) = openpyxl.load_workbook(io.BytesIO(made)).active[2]
        assert (cell.value, cell.data_type) == (text, "s")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x" * 32_768, "Row 3, text: 32,768 characters; a cell of a workbook holds 32,767"),
        ("😀" * 16_384, "Row 3, text: 32,768 characters"),
        ("a\x0bb", r"Row 3, text: a workbook cannot hold the character U\+000B"),
        ("a\uffff", r"Row 3, text: .*U\+FFFF. Export as Parquet, JSONL or CSV"),
    ],
)
def test_what_a_workbook_cannot_hold_is_said_by_row(text: str, said: str) -> None:
    with pytest.raises(Problem, match=said):
        write(".xlsx", ["text"], [{"text": "fine"}, {"text": text}])
    assert write(".xlsx", ["text"], [{"text": "x" * 32_767}])


def test_more_rows_than_a_sheet_holds_are_refused_at_once() -> None:
    with pytest.raises(Problem, match="1,048,576 rows: a sheet holds 1,048,575 at most"):
        write(".xlsx", ["text"], [{"text": "x"}] * 1_048_576)


# What a file says


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ('[{"text": "x", "label": 1.10}, {"label": null}]', [("x", "1.10"), (None, None)]),
        ('{"version": 2, "data": [{"text": "x", "tags": ["é", 1]}]}', [("x", '["é", 1]')]),
        ('\ufeff {"a": [], "rows": [ {"text": "]}"} , {"text": "\\u00e9"} ] }', [("]}",), ("é",)]),
        ('{"ids": [1, 2], "data": [{"text": "x"}]}', [("x",)]),
        ('[{"text": ' + "9" * 5000 + "}]", [("9" * 5000,)]),
    ],
)
def test_json_is_a_list_of_objects_wherever_it_stands(
    content: str, rows: list[tuple[str | None, ...]]
) -> None:
    assert cells(read_table("f.json", content.encode())) == rows


def test_bad_items_of_json_are_named() -> None:
    table = read_table("f.json", b'[{"text": "x"}, 3, {"text": "y"}, {"a": 1, "a": 2}, {}]')
    assert [str(fault)[:17] for fault in table.faults] == ["not a JSON object"]
    assert table.faults[0].rows == (2, 4)
    assert [bool(row) for row in table.rows] == [True, False, True, False, True]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "f.json is not JSON: Expecting a list or an object"),
        ("[]", "f.json is empty. It must be a list of objects"),
        ("3", "Expecting a list"),
        ('{"text": "x"}', "holds no list of objects"),
        ('{"a": [{"x": 1}], "b": [{"x": 1}]}', "holds lists under 'a', 'b'"),
        ('{"text": "x"}\n{"text": "y"}', "More follows.*line 2, column 1.*name it .jsonl"),
        ('[{"text": "x"}', r"Expecting ','"),
        ('[{"text": "x"},]', "Expecting value"),
        ('[{"text": "x" "y"}]', "Expecting ',' delimiter .line 1, column 15"),
        ("[" * 100_000, "nested too deep"),
        ('[{"text": ' + "[" * 90_000 + "]" * 90_000 + "}]", "nested too deep"),
        ('{"a": ' * 90_000, "nested too deep"),
    ],
)
def test_what_is_not_such_json_is_said(content: str, said: str) -> None:
    with pytest.raises(BadFile, match=said):
        read_table("f.json", content.encode())


def test_cells_of_a_workbook_are_values_as_text() -> None:
    data = workbook(
        [],
        [
            ["text", "n", None, "when", "yes"],
            ["=1+1", 3.0, None, datetime(2020, 1, 2, 3, 4, 5), True],
            [],
            ["x", 0.1, None, date(2020, 1, 2), False],
            ["y", 1234567890123456, "astray"],
            [None, None],
        ],
        [["other"]],
    )
    table = read_table("f.xlsx", data)
    assert table.columns == ("text", "n", "when", "yes")
    assert [dict(row) for row in table.rows] == [
        {"text": None, "n": "3", "when": "2020-01-02T03:04:05", "yes": "TRUE"},
        {},
        {"text": "x", "n": "0.1", "when": "2020-01-02", "yes": "FALSE"},
        {"text": "y", "n": "1234567890123456", "when": None, "yes": None},
    ]
    assert [fault.rows for fault in table.faults] == [(5,)]
    assert table.notes == ("only the sheet 'sheet 1' was read, of 3",)


def test_texts_of_a_workbook_are_read_from_where_excel_puts_them() -> None:
    assert cells(read_table("f.xlsx", SHARED)) == [(" é 日 ",), ("a\rb",), ("bold and not",)]


def test_columns_of_parquet_become_text() -> None:
    data = columnar(
        text=pa.array(["x", None, ""]),
        n=pa.array([1.0, None, 0.1], pa.float32()),
        big=pa.array([2**60, None, -1]),
        yes=pa.array([True, None, False]),
        when=pa.array([datetime(2020, 1, 2), None, datetime(2020, 1, 2, 3)]),
        day=pa.array([date(2020, 1, 2), None, None]),
        raw=pa.array([b"\xc3\xa9", None, b"\xff"]),
        tags=pa.array([["a", "é"], None, []]),
        of=pa.array([{"k": [1]}, None, None]),
        kind=pa.array(["a", None, "b"]).dictionary_encode(),
    )
    table = read_table("f.parquet", data)
    assert cells(table) == [
        ("x", "1", str(2**60), "true", "2020-01-02T00:00:00", "2020-01-02", "é", '["a", "é"]',
         '{"k": [1]}', "a"),
        (None,) * 10,
        ("", "0.1", "-1", "false", "2020-01-02T03:00:00", None, "\\xff", "[]", None, "b"),
    ]  # fmt: skip
    assert table.first_row == 1


# Encodings


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "utf-8"])
@pytest.mark.parametrize("ending", [".csv", ".tsv", ".json", ".jsonl"])
def test_unicode_is_read_whatever_its_form(ending: str, codec: str) -> None:
    content = {
        ".csv": "text,label\ncafé 日,a\n",
        ".tsv": "text\tlabel\ncafé 日\ta\n",
        ".json": '[{"text": "café 日", "label": "a"}]',
        ".jsonl": '{"text": "café 日", "label": "a"}\n',
    }[ending]
    table = read_table(f"f{ending}", content.encode(codec))
    assert cells(table) == [("café 日", "a")] and table.columns == COLUMNS and not table.notes


@pytest.mark.parametrize(
    ("name", "content", "note"),
    [
        ("f.csv", 'text,label\n"x\ny",a\ncafé,b\nnaïve,a\n', "row 3 holds 'é'"),
        ("f.csv", "text;label\n“quoted”;€\n", "row 2 holds '“'"),
        ("f.tsv", "text\tlabel\nx\té\n", "row 2 holds 'é'"),
        ("f.jsonl", '{"text": "x"}\n\n{"text": "café"}', "row 3 holds 'é'"),
        ("f.json", '[\n{"text": "x"},\n{"text": "café"}]', "line 3 holds 'é'"),
    ],
)
def test_a_western_file_is_read_with_a_note_that_says_it_is_a_guess(
    name: str, content: str, note: str
) -> None:
    table = read_table(name, content.encode("cp1252"))
    assert cells(table) == cells(read_table(name, content.encode()))
    assert table.notes == (f"not UTF-8; read as Windows-1252 (Latin-1), a guess: {note}",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("text\ncafé\n".encode("utf-32"), "is UTF-32"),
        ("text\nこれは、テスト。\n".encode("shift_jis"), "not UTF-8: row 2 holds the byte"),
        ("text\nnaïve café".encode()[:-1], "row 2 holds the byte 0xC3"),
        (b"\xef\xbb\xbftext\ncaf\xe9\n", "row 2 holds the byte 0xE9"),
        (b"text\ncaf\xe9\x00\n", "row 2 holds the byte 0xE9"),
        ("text\nx\n".encode("utf-16")[:-1], "is damaged UTF-16"),
        (b"\xff\xfe\x00\xd8x\x00", "is damaged UTF-16"),
    ],
)
def test_what_is_damaged_or_cannot_be_told_is_not_guessed(content: bytes, said: str) -> None:
    with pytest.raises(BadFile, match=said):
        read_table("f.csv", content)


def test_a_guess_is_among_what_to_know_of_an_import(session: Session) -> None:
    made = home.create_project("p").id
    table = imports.read_table("f.csv", "text,label\ncafé,a\nx,b\n".encode("cp1252"))
    prepared = imports.prepare(
        made, table, {"text": ["text"], "label": ["label"]}, "train", "human"
    )
    assert table.notes[0] in [str(w) for w in prepared.warnings if not w.fatal]
    assert imports.import_rows(made, prepared).n_rows == 2


# Bounds


def bomb_by_ratio() -> bytes:
    return with_entry(BOOK, SHEET, lambda _: b" " * 60_000_000)


def bomb_by_sizes() -> bytes:
    """A directory that says 4 GB of a file that has a few bytes."""
    made = bytearray(BOOK)
    at = made.rindex(b"PK\x01\x02")
    made[at + 20 : at + 28] = struct.pack("<II", 0xF0000000, 0xF0000000)
    return bytes(made)


def bomb_by_entities(encoding: str = "utf-8") -> bytes:
    entities = '<!ENTITY a0 "lol">' + "".join(
        f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 9)
    )
    xml = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE x [{entities}]><sst>&a8;</sst>'
    return with_entry(SHARED, "xl/strings.xml", lambda _: xml.encode(encoding))


def sheet_of(rows: str) -> bytes:
    return with_entry(BOOK, SHEET, lambda _: sheet_xml(rows))


def many_entries() -> bytes:
    out = io.BytesIO(BOOK)
    with zipfile.ZipFile(out, "a") as archive_:
        for number in range(archive.MAX_ENTRIES):
            archive_.writestr(f"{number}", b"")
    return out.getvalue()


def encrypted() -> bytes:
    made = bytearray(BOOK)
    made[made.rindex(b"PK\x01\x02") + 8] |= 1
    return bytes(made)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (bomb_by_ratio, "unpacks to more than 200 times its size"),
        (bomb_by_sizes, "unpacks to 4,026,.* bytes; 1,000,000,000 are the most"),
        (bomb_by_entities, "XML with a document type"),
        (lambda: bomb_by_entities("utf-16"), "XML with a document type"),
        (many_entries, "holds 10,0.. files; 10,000 are the most"),
        (encrypted, "is encrypted"),
        (lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 999, "has a password, or is an old"),
        (lambda: b"text,label\nx,a\n", "is not a whole .xlsx file"),
        (lambda: BOOK[:-30], "is not a whole .xlsx file"),
        (
            lambda: sheet_of('<row r="1048577"><c r="A1048577"><v>1</v></c></row>'),
            "more than 1,048",
        ),
        (
            lambda: sheet_of('<row r="99999999999"><c><v>1</v></c></row>'),
            "more than 1,048,576 rows",
        ),
        (lambda: sheet_of('<row r="1"><c r="XFD1"><v>1</v></c></row>'), "a cell in column 16,384"),
        (lambda: sheet_of('<row r="1"><c r="ZZZZZZZ1"><v>1</v></c></row>'), "f.xlsx"),
        (lambda: sheet_of('<row r="1"><c><v>1</v></c></row>' * 2), "row 1 comes twice"),
        (lambda: sheet_of(""), "f.xlsx is empty"),
    ],
)
def test_a_workbook_that_would_fill_the_machine_is_refused_soon(
    make: Callable[[], bytes], said: str
) -> None:
    data = make()
    assert len(data) < 2_000_000
    begun = time.process_time()
    with pytest.raises(BadFile, match=said):
        read_table("f.xlsx", data)
    assert time.process_time() - begun < 2


def test_a_sheet_that_repeats_one_long_text_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx, "MAX_UNPACKED", 10_000)
    rows = [["text"], *([["x" * 900]] * 12)]
    with pytest.raises(BadFile, match="holds more than 10,000 characters"):
        read_table("f.xlsx", workbook(rows))


def test_parquet_is_refused_by_what_its_footer_says(monkeypatch: pytest.MonkeyPatch) -> None:
    data = columnar(text=["x", "y", "z"], tags=[["a"] * 5] * 3)
    for bound, value, said in (
        ("MAX_ROWS", 2, "has 3 rows; 2 are the most"),
        ("MAX_UNPACKED", 50, "unpacks to .* bytes; 50 are the most"),
        ("MAX_VALUES", 10, "holds 18 values; 10 are the most"),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(parquet_reading, bound, value)
            with pytest.raises(BadFile, match=said):
                parquet_reading.read_parquet("f.parquet", data)


def test_parquet_that_repeats_one_long_text_is_refused_before_it_is_written_out() -> None:
    """100,000 times a million characters: 1 MB in the file, as one entry of a dictionary."""
    indices = pa.array([0] * 100_000, pa.int32())
    text = pa.DictionaryArray.from_arrays(indices, pa.array(["x" * 1_000_000]))
    out = io.BytesIO()
    pq.write_table(pa.table({"text": text}), out, store_schema=False, compression="zstd")
    assert len(out.getvalue()) < 100_000
    begun = time.process_time()
    with pytest.raises(BadFile, match="unpacks to more than 1,000,000,000 bytes"):
        read_table("f.parquet", out.getvalue())
    assert time.process_time() - begun < 10


def test_a_file_that_ends_the_process_which_reads_it_is_a_bad_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As pyarrow aborts where level histograms in a footer do not fit."""
    dying = tmp_path / "python"
    dying.write_text("#!/bin/sh\ncat > /dev/null\necho '{\"columns\": []}'\nkill -ABRT $$\n")
    dying.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(dying))
    with pytest.raises(BadFile, match=r"f.parquet is not a Parquet file that can be read"):
        read_table("f.parquet", VALID[".parquet"])


def test_reading_that_takes_too_long_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "MAX_SECONDS", 0.01)
    with pytest.raises(BadFile, match="takes more than"):
        read_table("f.parquet", VALID[".parquet"])


def test_columns_and_bytes_have_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    many = {f"c{i}": [1] for i in range(1001)}
    with pytest.raises(BadFile, match="1,001 columns"):
        read_table("f.parquet", columnar(**many))
    with pytest.raises(BadFile, match="1,000,000 columns; 1,000 are the most"):
        read_table("f.csv", b"," * 999_999 + b"\n")
    monkeypatch.setattr("core.formats.MAX_BYTES", 10)
    with pytest.raises(BadFile, match=r"f.csv has 11 bytes; 10 are the most"):
        read_table("f.csv", b"text\n123456")


def test_rows_are_no_wider_than_what_they_hold() -> None:
    """A million short lines after one of a thousand keys would else be a thousand million cells."""
    wide = json.dumps({f"k{i}": i for i in range(bounds.MAX_COLUMNS)})
    table = read_table("f.jsonl", (wide + '\n{"k1": 1}' * 1000).encode())
    assert {len(row) for row in table.rows} == {bounds.MAX_COLUMNS, 1}


# Anything at all

ROWS = [{"text": f"note {i}, é 日 “x”", "label": "ab"[i % 2], "tags": None} for i in range(12)]
MARKED = [
    {"text": f"Ann met 日本 {i}\nשל 👩\u200d🚀", "spans": '[{"end":3,"start":0,"type":"a"}]',
     "frames": '[{"arguments":[{"end":3,"role":"who","start":0}],"end":7,"start":4,"type":"M"}]'}
    for i in range(12)
]  # fmt: skip
VALID = {
    **dict.fromkeys((".conll", ".bio", ".iob2"), write(".conll", ["text", "spans"], MARKED)),
    ".zip": write(".zip", ["text", "frames"], MARKED[:1]),
    **{ending: write(ending, [*COLUMNS, "tags"], ROWS) for ending in WRITABLE},
    ".tsv": "text\tlabel\ncafé\ta\nx\tb\n".encode("cp1252"),
}


def mutated(data: bytes, generator: random.Random) -> bytes:
    made = bytearray(data)
    for _ in range(generator.choice((1, 1, 2, 8))):
        at = generator.randrange(len(made)) if made else 0
        kind = generator.randrange(5)
        if kind == 0 and made:
            made[at] ^= 1 << generator.randrange(8)
        elif kind == 1 and made:
            made[at] = generator.randrange(256)
        elif kind == 2:
            del made[at:]
        elif kind == 3:
            made[at:at] = generator.randbytes(generator.randrange(1, 20))
        else:
            made[at : at + 4] = generator.choice((b"\xff\xff\xff\xff", b"\x00" * 4, b'"<&[', b""))
    return bytes(made)


def unpacked_and_mutated(ending: str, generator: random.Random) -> bytes:
    """A whole zip file around a broken file, which mere flips seldom make."""
    whole = generator.choice((VALID[".xlsx"], SHARED)) if ending == ".xlsx" else VALID[ending]
    with zipfile.ZipFile(io.BytesIO(whole)) as book:
        name = generator.choice([entry for entry in book.namelist() if "docProps" not in entry])
    return with_entry(whole, name, lambda content: mutated(content, generator))


@pytest.mark.parametrize("ending", [*EXTENSIONS, "inside .xlsx", "inside .zip"])
def test_a_damaged_file_is_a_table_or_a_bad_file_within_a_second(ending: str) -> None:
    generator = random.Random(f"fuzz {ending}")
    n_read = 0
    read_table("f.xlsx", VALID[".xlsx"])  # so that no import is timed
    # A Parquet file is read by a process of its own, which takes half a second to start.
    n, seconds = (8, 5) if ending == ".parquet" else (300, 1)
    for _ in range(n):
        if ending in VALID:
            name, data = f"f{ending}", mutated(VALID[ending], generator)
        else:
            inner = ending.removeprefix("inside ")
            name, data = f"f{inner}", unpacked_and_mutated(inner, generator)
        begun = time.process_time()
        try:
            table = read_table(name, data)
        except BadFile as bad:
            assert str(bad).startswith(name)
        else:
            n_read += 1
            assert all(isinstance(c, str | None) for row in table.rows for c in row.values())
            assert len(set(table.columns)) == len(table.columns)
        assert time.process_time() - begun < seconds
    assert n_read < n


@given(st.binary(max_size=200) | st.text(alphabet='",;\t\n\r{}[]:\\ua\x00\ufeff1', max_size=60))
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_bytes_are_a_table_or_a_file_that_cannot_be_read(content: bytes | str) -> None:
    whole = content.encode() if isinstance(content, str) else content
    for ending in set(EXTENSIONS) - {".parquet"}:
        try:
            table = read_table(f"f{ending}", whole)
        except BadFile as bad:
            assert str(bad) and "\n" not in str(bad)
        else:
            assert len(set(table.columns)) == len(table.columns) > 0
            assert all(set(row) <= set(table.columns) for row in table.rows)
