"""A report says all that a study says, with intervals, in forms that no name can break."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from core.actions import budget, curate, curves, home, report, train
from core.actions.session import Session
from core.budget import Prices
from core.documents.base import Code, Document, Figure, Listed, Section, Table, Text
from core.documents.latex import latex
from core.documents.markdown import markdown
from core.documents.web import web
from core.errors import Problem
from core.ui import printed
from tests.conftest import WORDS, bring, planted
from tests.serving import chromium_browser
from tests.test_cli import told
from tests.test_pages_research import page_of

pytestmark = pytest.mark.executor("inline")

HOSTILE = (
    "</script><script>alert(1)</script><img src=https://evil.example/x onerror=alert(2)>",
    "![x](https://evil.example/p.png) | `a` *b* [c](javascript:d)",
    "\\input{/etc/passwd} $x_1$ 50% {} & # ~ ^ \\write18{id}",
)
"""Names as somebody might choose them who wants a report to do something."""


def studied(labels: dict[str, str], name: str, study: str) -> str:
    """Return a project of the planted task, under other names, with a study that is done."""
    made = home.create_project(name, "classify", list(labels.items())).id
    other = dict(zip(WORDS, labels, strict=True))
    for n, seed, split, source in (
        (20, 1, "train", "human"), (10, 2, "test", "human"), (20, 3, "train", "synthetic"),
    ):  # fmt: skip
        rows = [{**row, "label": other[row["label"]]} for row in planted(n, seed)]
        bring(made, rows, split, source)
    curate.accept_many(made, "a test", flagged=True)
    budget.set_prices(made, Prices(human_usd=0.05, synthetic_usd=0.002))
    settings = {"n_total": 12, "ratios": (0.0, 0.5, 1.0), "seeds": 3}
    _, job = train.launch(made, train.StudyRequest("ratio_sweep", settings, "tfidf", name=study))
    assert train.wait(job).state == "done"
    return made


@pytest.fixture
def plain(session: Session) -> str:
    return studied({"sea": "of water", "sky": "", "soil": ""}, "plain", "Sweep")


@pytest.fixture
def hostile(session: Session) -> str:
    return studied(dict.fromkeys(HOSTILE, HOSTILE[0]), HOSTILE[0][:80], HOSTILE[2])


class Read(HTMLParser):
    """What a browser sees in a page: its tags with their attributes, and its words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self._skips = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._skips = tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._skips = False

    def handle_data(self, data: str) -> None:
        self.words += "" if self._skips else data


def loads(page: Read) -> list[str]:
    """Return what a page would fetch, or lead to."""
    names = ("src", "href", "srcset", "data", "action", "poster", "background")
    return [value or "" for _, has in page.tags for name, value in has.items() if name in names]


def handlers(page: Read) -> list[str]:
    return [name for _, has in page.tags for name in has if name.startswith("on")]


def limits(project: str) -> list[str]:
    """Return the intervals of the main metric as a report writes them."""
    points = curves.curve(project, train.find_study(project)["id"]).points
    return [f"{p.estimate.low:.3f} to {p.estimate.high:.3f}" for p in points]


def assert_is_balanced(text: str) -> None:
    """Check what LaTeX checks first: braces, environments, and no sign that means something."""
    body = re.sub(r"\\[{}\\]", "", text)
    assert body.count("{") == body.count("}")
    assert sorted(re.findall(r"\\begin\{(\w+)\}", text)) == sorted(
        re.findall(r"\\end\{(\w+)\}", text)
    )
    tables = re.findall(r"\\endlastfoot\n(.*?)\\end\{longtable\}", text, re.DOTALL)
    assert tables
    for table in tables:
        for row in table.strip().splitlines():
            assert row.endswith("\\\\")
            assert not re.search(r"(?<!\\)[#%]", row), row


def test_html_is_one_file_with_figures_intervals_and_nothing_from_elsewhere(plain: str) -> None:
    text = report.written(plain, "Sweep", "html", printed.figures).decode()
    page = Read(text)
    assert loads(page) == [] and handlers(page) == []
    assert "default-src 'none'" in text
    drawn = [has["id"] for tag, has in page.tags if "plotly-graph-div" in (has.get("class") or "")]
    assert drawn == ["figure-1", "figure-2"]
    for interval in limits(plain):
        assert interval in page.words
    for words in ("Sweep", "of water", "30", "Training code", "No cell was left out",
                  "study run --from", train.find_study(plain)["pool"]):  # fmt: skip
        assert words in page.words, words


@pytest.mark.parametrize("form", report.FORMS)
def test_no_text_of_a_sample_is_in_a_report(plain: str, form: str) -> None:
    text = report.written(plain, "Sweep", form, printed.figures).decode()
    assert not re.search(r"note \d+x\d+", text)


@pytest.mark.parametrize("form", ["md", "tex"])
def test_tables_and_the_answer_are_in_markdown_and_latex(plain: str, form: str) -> None:
    text = report.written(plain, "Sweep", form).decode()
    for interval in limits(plain):
        assert interval in text
    assert "May be the best in accuracy" in text
    assert "3" in text and "30" in text


def test_hostile_names_do_nothing_in_html(hostile: str) -> None:
    page = Read(report.written(hostile, HOSTILE[2], "html", printed.figures).decode())
    assert loads(page) == [] and handlers(page) == []
    assert {tag for tag, _ in page.tags} & {"img", "iframe", "object", "link", "base"} == set()
    assert "<img src=https://evil.example/x onerror=alert(2)>" in page.words


def test_hostile_names_do_nothing_in_a_script_of_a_figure(hostile: str) -> None:
    text = report.written(hostile, HOSTILE[2], "html", printed.figures).decode()
    figures = re.findall(r"Plotly\.newPlot\(\s*\"figure-.*?</script>", text, re.DOTALL)
    assert figures
    assert not any("<script" in figure or "<img" in figure for figure in figures)


@pytest.mark.browser
def test_a_browser_draws_the_figures_and_asks_nobody_for_anything(
    hostile: str, tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    file.write_bytes(report.written(hostile, HOSTILE[2], "html", printed.figures))
    with chromium_browser() as browser:
        page = browser.new_page(viewport={"width": 800, "height": 1000})
        seen: list[str] = []
        page.on("request", lambda request: seen.append(request.url))
        page.on("console", lambda message: seen.append(message.text))
        page.on("dialog", lambda dialog: seen.append(dialog.message))
        page.goto(file.as_uri())
        page.wait_for_selector("#figure-2 .main-svg")
        assert page.locator(".js-plotly-plot").count() == 2
        assert page.evaluate("document.documentElement.scrollWidth") == 800
        assert seen == [file.as_uri()]
        page.close()


def test_hostile_names_do_nothing_in_markdown(hostile: str) -> None:
    whole = report.written(hostile, HOSTILE[2], "md").decode()
    text, fence, _ = whole.partition("\n```sh\n")
    assert fence and whole.endswith("\n```\n") and whole.count("\n```") == 2
    assert not re.search(r"(?<!\\)<(script|img)", text)
    assert not re.search(r"(?<!\\)[!\[]", text)
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1


def test_hostile_names_do_nothing_in_latex(hostile: str) -> None:
    text = report.written(hostile, HOSTILE[2], "tex").decode()
    assert_is_balanced(text)
    assert "\\input{" not in text and "\\write18" not in text
    assert "\\textbackslash{}input\\{/etc/passwd\\}" in text


EVERY_BLOCK = Document(
    "T & <b>", "about_1",
    [Section("S#1", [
        Text("a $b$", is_strong=True), Text(""), Listed(["- x", "1. y"]), Listed([]),
        Table("Cap_tion", ["a|b", "[c]"], [["[d", "*1"], ["e\x00\u202e\ud800", "--2"]], 1, "n%"),
        Code(["echo ```", "x\\y"]), Figure("F", {"data": [], "layout": {}}, "note"),
    ])],
)  # fmt: skip


def test_every_block_is_written_in_every_form() -> None:
    page = Read(web(EVERY_BLOCK))
    assert "T & <b>" in page.words and "[d" in page.words and "echo ```" in page.words
    text = markdown(EVERY_BLOCK)
    assert "a\\|b" in text and "\n- \\- x" in text and "\n- 1\\. y" in text and "````sh" in text
    assert_is_balanced(latex(EVERY_BLOCK))
    assert "\n{[}d & {*}1 \\\\" in latex(EVERY_BLOCK)
    for form in report.FORMS.values():
        assert not re.search("[\x00\u202e\ud800]", form(EVERY_BLOCK))


ODD = (
    "100% & more_of #1 {a} ~b ^c \\d $e",
    "é ü ß ø ł — → “x” … naïve e\u0301",
    "日本 Ελλάδα да 😀 ħ ≤ −1 × 2",
)
"""Names as people do choose them, with every sign that means something to LaTeX."""


def compiled(text: bytes, folder: Path) -> str:
    """Return what pdflatex says of a document that it can make."""
    (folder / "report.tex").write_bytes(text)
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "report.tex"]
    for _ in range(2):  # the second time it knows how wide the columns are
        done = subprocess.run(words, cwd=folder, capture_output=True, check=False)
        assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
    return done.stdout.decode(errors="replace")


needs_latex = pytest.mark.skipif(
    shutil.which("pdflatex") is None, reason="there is no pdflatex here that could compile it"
)


@needs_latex
def test_latex_compiles_and_its_tables_fit_on_the_page(plain: str, tmp_path: Path) -> None:
    assert "Overfull" not in compiled(report.written(plain, "Sweep", "tex"), tmp_path)


@needs_latex
def test_hostile_names_compile(hostile: str, tmp_path: Path) -> None:
    compiled(report.written(hostile, HOSTILE[2], "tex"), tmp_path)


@needs_latex
def test_names_in_any_script_with_signs_of_latex_compile(session: Session, tmp_path: Path) -> None:
    made = studied(dict.fromkeys(ODD, " ".join(ODD)), ODD[2], ODD[0])
    compiled(report.written(made, ODD[0], "tex"), tmp_path)


@needs_latex
def test_every_sign_of_every_script_compiles(tmp_path: Path) -> None:
    signs = [chr(n) for n in (*range(0x20, 0x600), *range(0x2000, 0x2800), 0x3042, 0x1F600)]
    rows = [["".join(signs[i : i + 12])] for i in range(0, len(signs), 12)]
    whole = Document("T", "a", [Section("S", [Table("Signs", ["x"], rows)])])
    compiled(latex(whole).encode(), tmp_path)


def test_signs_that_pdflatex_has_no_letter_for_stand_by_their_numbers() -> None:
    text = latex(Document("日é", "a", [Section("e\u0301 ≤", [Text("→")])]))
    assert re.findall(r"\\DeclareUnicodeCharacter.*", text) == [
        "\\DeclareUnicodeCharacter{65E5}{\\allowbreak[U+65E5]}"
    ]
    assert "\\title{日é}" in text and "\\section*{é $\\leq$}" in text and "\n→\n" in text


def test_wide_tables_have_smaller_type_and_long_titles_of_figures_are_broken() -> None:
    def of(n_columns: int, title: str = "Accuracy") -> str:
        row = ["0.12 (0.10 to 0.1)"] * n_columns
        columns = ["Line", *[title] * (n_columns - 1)]
        return latex(Document("T", "a", [Section("S", [Table("C", columns, [row])])]))

    assert "{\\footnotesize" in of(4) and "{\\scriptsize" in of(6) and "{\\tiny" in of(7)
    long = of(2, "the longest of all names")
    assert "p{11em}}{the longest of all names} \\\\" in long


def test_a_study_of_several_budgets_says_how_to_split_them(session: Session) -> None:
    made = studied({"sea": "", "sky": "", "soil": ""}, "budgets", "Sweep")
    settings = {
        "budgets": (0.3, 0.6),
        "sources": ("synthetic",),
        "shares": (0.0, 0.1, 0.2),
        "seeds": 3,
    }
    request = train.StudyRequest("budget_grid", settings, "tfidf", name="Grid")
    _, job = train.launch(made, request)
    assert train.wait(job).state == "done"
    text = report.written(made, "Grid", "md").decode()
    assert re.search(r"Your data cannot tell|Clear: of|It does not matter", text)
    assert "multiple comparisons with the best at the budget" in text
    assert "| Line |" in text


def test_a_study_without_a_result_has_no_report(project: str) -> None:
    settings = {"n_total": 12, "ratios": (0.0, 1.0), "seeds": 2}
    study = train.create_study(project, train.StudyRequest(settings=settings, student="tfidf"))
    with pytest.raises(Problem, match="No trial of this study is done"):
        report.report(project, study)


def test_the_command_writes_each_form(plain: str, tmp_path: Path) -> None:
    for ending in report.FORMS:
        target = tmp_path / f"out.{ending}"
        done = told("study", "report", "plain", "--study", "Sweep", "--out", target)
        assert (done.code, done.err) == (0, "") and target.stat().st_size > 2_000
    assert "Plotly.newPlot" in (tmp_path / "out.html").read_text(encoding="utf-8")
    other = tmp_path / "out.txt"
    assert "html, md, tex" in told("study", "report", "plain", "--out", other).err
    assert told("study", "report", "plain", "--out", other, "--format", "md").code == 0


def test_the_page_offers_the_report_and_the_study_file(plain: str) -> None:
    at = page_of("results", project="plain")
    at.session_state["reports"] = True  # as a press on it does
    at.run()
    assert not at.exception
    labels = {button.label for button in at.get("download_button")}
    assert {"HTML, with figures", "Markdown", "LaTeX", "Study file"} <= labels
