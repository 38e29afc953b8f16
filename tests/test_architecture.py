"""The borders: what is imported where, that families declare themselves, that the tree is told."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from core.registry import FAMILIES, member, member_ids

ROOT = Path(__file__).parents[1]
HEAVY = (
    "torch",
    "transformers",
    "openai",
    "anthropic",
    "ray",
    "datasets",
    "sklearn",
    "streamlit",
    "scipy.stats",
)
MEMBERS = [(family, name) for family in FAMILIES for name in member_ids(family)]


def loaded_by(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        capture_output=True, text=True, cwd=ROOT, check=True,
    )  # fmt: skip
    return set(done.stdout.split())


def test_the_actions_load_no_heavy_package() -> None:
    code = "from core.actions import home, data, review, generate, curate, budget, train, results"
    more = "demo, door, vectors, profiles, places"
    assert not loaded_by(f"{code}, {more}") & set(HEAVY)


def test_listing_every_member_with_its_fields_loads_no_heavy_package() -> None:
    code = (
        "from core.registry import FAMILIES, member, member_ids\n"
        "for family in FAMILIES:\n"
        "    for name in member_ids(family): member(family, name).model_fields"
    )
    assert not loaded_by(code) & set(HEAVY)


@pytest.mark.parametrize(("family", "name"), MEMBERS)
def test_every_member_declares_itself(family: str, name: str) -> None:
    cls = member(family, name)
    assert cls.title and cls.__doc__ and cls.family == family and cls.id() == name
    for field_name, field in cls.model_fields.items():
        assert field.description, f"{name}.{field_name} says nothing of itself"
    assert cls.model_config["frozen"] and cls.model_config["extra"] == "forbid"


def test_app_and_pages_reach_core_only_through_actions_and_ui() -> None:
    for path in [ROOT / "app.py", *sorted((ROOT / "pages").glob("*.py"))]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            for name in names:
                if name.startswith("core"):
                    allowed = ("core.actions", "core.ui") + (
                        ("core.__main__",) if path.name == "app.py" else ()
                    )
                    assert name.startswith(allowed), f"{path.name} imports {name}"


def test_pages_are_thin() -> None:
    for path in sorted((ROOT / "pages").glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        tried = [node for node in ast.walk(tree) if isinstance(node, ast.Try)]
        assert not tried, f"{path.name} catches what core.ui.frame.problems should"
        assert "pandas" not in path.read_text(encoding="utf-8"), path.name


def test_only_the_store_speaks_sql() -> None:
    verbs = re.compile(r"^\s*(SELECT|INSERT|UPDATE|DELETE|WITH|CREATE|ALTER)\s", re.IGNORECASE)
    for path in (ROOT / "core").rglob("*.py"):
        if "store" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                is_sql = verbs.match(node.value) and " from " in node.value.lower()
                assert not is_sql, f"{path}: {node.value[:60]}"


def test_the_readme_names_every_module_of_the_tree() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"[\w.]+\.py\b|\b\w+/", readme))
    for path in sorted((ROOT / "core").glob("*.py")):
        if path.name != "__init__.py":
            assert path.name in named, f"README's tree does not name core/{path.name}"
    for folder in sorted(path for path in (ROOT / "core").iterdir() if path.is_dir()):
        if folder.name != "__pycache__":
            assert f"{folder.name}/" in named, f"README's tree does not name core/{folder.name}/"


def test_nothing_loads_pickles_or_remote_code() -> None:
    for path in [ROOT / "app.py", *(ROOT / "core").rglob("*.py"), *(ROOT / "pages").rglob("*.py")]:
        text = path.read_text(encoding="utf-8")
        assert "import pickle" not in text and "joblib" not in text, path
        assert "trust_remote_code=True" not in text and "allow_pickle=True" not in text, path
