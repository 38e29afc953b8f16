"""Every action says which role it needs, and is refused to all others; nobody acts as another."""

from __future__ import annotations

import ast
import importlib
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from core.actions import (
    access,
    archives,
    budget,
    curate,
    data,
    exports,
    generate,
    handover,
    home,
    people,
    queues,
    review,
    signing_in,
    train,
)
from core.actions.access import RANK, ROLES, needs
from core.actions.session import Session
from core.budget import Prices
from core.errors import Denied, Problem
from tests import whole_project
from tests.conftest import bring, planted
from tests.signed_in import PASSWORD, acting, add_everyone, cheap_hashes

ROOT = Path(__file__).parents[1]
ACTIONS = sorted(path.stem for path in (ROOT / "core" / "actions").glob("[a-z]*.py"))

OUTSIDE = {
    "access": "says who acts",
    "signing_in": "is how somebody comes to act",
    "passwords": "knows no accounts",
    "patience": "knows no accounts",
    "beside": "runs what actions give it, as who asked for them",
    "session": "opens the home folder; what it reads, only actions may",
    "door": "runs a command that acts as the owner",
    "handover": "passes the home folder on, and goes on with jobs as Admix itself",
    "following": "runs a command that acts as the owner",
}
"""Modules that are no actions, and why."""
WORDS_AND_ROWS = {
    "advice": "headline details", "affordable": "headline details rows stretches",
    "again": "told", "agreement": "rows_of",
    "blind": "read", "best_run": "points_of smallest_difference within in_words said",
    "opinions": "question_for read consensus decisions as_content",
    "answers": "settled splits_of", "archives": "written",
    "audit": "named n_for_width", "by_class": "place", "cards": "card keys_of spans_of",
    "ceiling": "agreement", "cells": "point by_seed n_rows is_human_only", "chosen": "version",
    "consistency": "table", "curate": "wanted", "curves": "axes", "data": "erased_in_words",
    "development": "score students chosen", "exports": "write_file",
    "find": "these", "guidelines": "difference", "times": "for_price",
    "generate": "own_benchmark proposed", "growth": "is_growing gains stops_mattering per_class",
    "harm": "headline details rows", "held": "suggested_items", "home": "read_labels",
    "imports": "check_split judge", "leaks": "counts_in_words selftest_rows similarity",
    "limits": "in_words trials_of", "lineage": "rows",
    "lines": "varied titles columns is_matrix source_of in_words",
    "matrix": "relative_differences mean_of",
    "matrix_tables": "named wide compared cells summary wide_csv cells_csv",
    "bias_rows": "score_rows benchmark_rows solver_rows average_title", "bias_steps": "missing",
    "needs": "hint", "notes": "notes remark_on left_out behind_unknown removed_in_words",
    "origins": "of generator said", "people": "log_rows may_in_words is_on",
    "placing": "no_source",
    "plateau_plans": "even_sizes", "plateau_words": "headline rows_of points",
    "pooling": "pool_row report_of", "presses": "read", "queues": "wanted", "reach": "in_words",
    "report": "no_figures", "results": "figure pointer task_in publication_of",
    "review": "undo_message labelled", "stated": "split_of read",
    "rows": "read_rows in_order label_fault outside_set mark_of only_labelled",
    "shift": "distance in_words",
    "solvers": "way_of row", "stale": "in_words", "tested": "away",
    "together": "misfit", "train": "is_slow free_name usual_workers", "verdict": "sentence",
    "columns": "guessed completed said checked cells in_words",
}  # fmt: skip
"""Functions that are given what was read, and make words, rows or figures of it."""
OF_ADMIX = {
    "asking": "known_price money_of refuse_mode refuse_blind_cap", "checking": "kinds",
    "doubts": "titles",
    "clusters": "is_installed default_address asked",
    "exchange": "writable carried writable_tool last_words",
    "estimates": "of_run batch_discount sent_to",
    "home": "task_kinds", "plateau_plans": "has_encoder usual_student",
    "recipes": "all_recipes find", "results": "published",
    "train": "students presets preset study_kinds max_workers made_with",
    "vectors": "check_titles", "versions": "versions",
}  # fmt: skip
"""Functions that say what Admix can do, and know no project."""
READS = {"here", "project_of", "task_of", "database"}
"""Names through which a function would read a home folder."""


def public_functions(module: str) -> dict[str, ast.FunctionDef]:
    tree = ast.parse((ROOT / "core" / "actions" / f"{module}.py").read_text(encoding="utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("module", [name for name in ACTIONS if name not in OUTSIDE])
def test_every_public_function_of_an_action_module_needs_a_role_or_reads_nothing(
    module: str,
) -> None:
    free = set(f"{WORDS_AND_ROWS.get(module, '')} {OF_ADMIX.get(module, '')}".split())
    there = public_functions(module)
    loaded = importlib.import_module(f"core.actions.{module}")
    for name, node in there.items():
        if name.startswith("_"):
            continue
        needed = getattr(getattr(loaded, name), "needs", None)
        if name not in free:
            assert needed in ROLES, f"{module}.{name} says no role: nobody would be refused"
        else:
            assert needed is None, f"{module}.{name} is told to be free and is not"
            used = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
            assert not used & READS, f"{module}.{name} reads, so it must need a role"
    assert not free - set(there), f"{module} has none of these any more"


def test_pages_and_ui_reach_the_home_folder_through_actions_alone() -> None:
    for path in [*(ROOT / "core" / "ui").glob("*.py"), *(ROOT / "pages").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                names = {f"{node.module}.{alias.name}" for alias in node.names}
                assert not [n for n in names if n.startswith(("core.store.db", "core.jobs.runner"))]
                assert not names & {
                    f"core.actions.session.{name}" for name in ("here", "project_of", "task_of")
                }, path
            if isinstance(node, ast.Attribute) and node.attr == "download_button":
                assert path.name == "download.py", f"{path.name}: what it makes acts for nobody"


@pytest.fixture
def everyone(project: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A project, and an account per role."""
    cheap_hashes(monkeypatch)
    add_everyone()
    return project


def label_one(project: str) -> None:
    name = access.actor().name
    row = review.table(project, queues.wanted())[0]
    review.label(project, name, row.id, 0, "sea")


def spend_nothing(project: str) -> None:
    request = generate.Request("recorded", targets={"sea": 1})
    with pytest.raises(Problem) as refused:
        generate.launch(project, request)
    if isinstance(refused.value, Denied):
        raise refused.value


ACTS: dict[str, tuple[str, Callable[[str], object]]] = {
    "read counts": ("viewer", data.class_counts),
    "read projects": ("viewer", lambda project: home.all_projects()),
    "read prices": ("viewer", budget.prices),
    "label": ("annotator", label_one),
    "curate": ("annotator", lambda project: curate.decide_many(
        project, access.actor().name, [], "accept")),
    "import": ("researcher", lambda project: bring(project, planted(1, 9), "train", "human")),
    "task": ("researcher", lambda project: data.set_task(
        project, [(name, "") for name in data.label_names(project)], "New.")),
    "prices": ("researcher", lambda project: budget.set_prices(project, Prices(human_usd=0.1))),
    "generate": ("researcher", spend_nothing),
    "train": ("researcher", lambda project: train.create_study(
        project, train.StudyRequest("ratio_sweep", whole_project.SWEEP, "tfidf"))),
    "export": ("researcher", exports.export_rows),
    "archive": ("researcher", archives.export_bytes),
    "which keys are there": ("researcher", lambda project: generate.providers()),
    "new project": ("researcher", lambda project: home.create_project("another")),
    "erase samples": ("admin", lambda project: data.delete_samples(
        project, [data.find_samples(project, "")[0].id], access.actor().name)),
    "read the audit log": ("admin", lambda project: people.log()),
    "add an account": ("admin", lambda project: people.add("new", "viewer", None, "oidc")),
    "change a cap": ("admin", lambda project: people.set_cap("viewer", 1.0)),
    "erase the project": ("admin", home.delete_project),
}  # fmt: skip


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_do_what_it_may_and_nothing_more(everyone: str, role: str) -> None:
    for what, (needed, act) in ACTS.items():
        with acting(role):
            if RANK[role] >= RANK[needed]:
                act(everyone)
            else:
                with pytest.raises(Denied):
                    act(everyone)
                    pytest.fail(f"{role} was not refused: {what}")


def test_nobody_who_did_not_sign_in_does_anything(everyone: str) -> None:
    for what, (_, act) in ACTS.items():
        with pytest.raises(Denied, match="not signed in"):
            act(everyone)
            pytest.fail(f"not refused: {what}")


def test_with_accounts_off_everybody_may_do_everything(
    project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cheap_hashes(monkeypatch)
    add_everyone(is_on=False)
    for _, (_, act) in ACTS.items():
        act(project)


def test_decisions_are_under_ones_own_name_alone(everyone: str) -> None:
    row = review.table.__wrapped__(everyone, queues.wanted())[0]
    with acting("annotator"), pytest.raises(Denied, match="under the name of who makes them"):
        review.label(everyone, "researcher", row.id, 0, "sea")
    with acting("admin"), pytest.raises(Denied):
        curate.decide_many(everyone, annotator="annotator", ids=[row.id], kind="reject")
    with acting("admin"), pytest.raises(Denied):
        data.delete_samples(everyone, [row.id], annotator="annotator")
    with access.acting(access.owner()):
        assert review.history(everyone, row.id) == []
        # The owner of the machine, at the command line, decides as before.
        review.label(everyone, "somebody", row.id, 0, "sea")


def test_an_action_for_others_decisions_may_name_another(everyone: str) -> None:
    @needs("researcher", as_others=True)
    def settle(annotator: str) -> str:
        return annotator

    with acting("researcher"):
        assert settle("annotator") == "annotator"
    with acting("annotator"), pytest.raises(Denied):
        settle("annotator")


def test_what_an_allowed_action_calls_is_part_of_it_and_the_next_one_is_not(everyone: str) -> None:
    @needs("annotator")
    def outer(inner: Callable[[], object]) -> object:
        return inner()

    with acting("annotator"):
        outer(people.everyone)
        with pytest.raises(Denied):
            people.everyone()
        with pytest.raises(ZeroDivisionError):
            outer(lambda: 1 / 0)
        with pytest.raises(Denied):  # a failure inside leaves nothing open
            people.everyone()


def test_another_thread_acts_for_nobody(everyone: str) -> None:
    found: list[BaseException] = []

    def try_it() -> None:
        try:
            home.all_projects()
        except Denied as denied:
            found.append(denied)

    with acting("admin"):
        thread = threading.Thread(target=try_it)
        thread.start()
        thread.join()
    assert len(found) == 1


def test_what_goes_on_by_itself_is_not_refused(everyone: str) -> None:
    with pytest.raises(Problem) as missing:
        handover.go_on("0" * 16)
    assert not isinstance(missing.value, Denied)


def test_a_disabled_account_is_refused_at_its_next_action(everyone: str) -> None:
    token = signing_in.sign_in("annotator", PASSWORD.format("annotator"))
    access.ask(lambda is_use: signing_in.actor_of(token, is_use))
    try:
        assert home.all_projects()
        with acting("admin"):
            people.set_active("annotator", False)
        with pytest.raises(Denied):
            home.all_projects()
        with pytest.raises(Denied):
            signing_in.sign_in("annotator", PASSWORD.format("annotator"))
        with acting("admin"):
            people.set_active("annotator", True)
        with pytest.raises(Denied):  # the old session is over for good
            home.all_projects()
        token = signing_in.sign_in("annotator", PASSWORD.format("annotator"))
        assert home.all_projects()
    finally:
        access.ask(lambda is_use: None)


def test_another_role_counts_from_the_next_action_on(everyone: str) -> None:
    token = signing_in.sign_in("annotator", PASSWORD.format("annotator"))
    access.ask(lambda is_use: signing_in.actor_of(token, is_use))
    try:
        label_one(everyone)
        with acting("admin"):
            people.set_role("annotator", "viewer")
        with pytest.raises(Denied, match="Your role, viewer, may not do this"):
            label_one(everyone)
        assert home.all_projects()
    finally:
        access.ask(lambda is_use: None)


def test_the_last_admin_stays_one(everyone: str) -> None:
    with acting("admin"):
        with pytest.raises(Problem, match="only admin"):
            people.set_role("admin", "viewer")
        with pytest.raises(Problem, match="only admin"):
            people.set_active("admin", False)
        people.set_role("researcher", "admin")
        people.set_role("admin", "viewer")
    with acting("admin"), pytest.raises(Denied):
        people.everyone()


def test_accounts_are_turned_on_only_where_an_admin_can_sign_in(session: Session) -> None:
    with pytest.raises(Problem, match="no admin"):
        people.turn_on()
    people.add("ann", "annotator", None, "oidc")
    with pytest.raises(Problem):
        people.turn_on()


@pytest.mark.parametrize("name", ["", "  ", "a" * 61, "tab\u0007bell"])
def test_names_that_cannot_be_are_refused(session: Session, name: str) -> None:
    with pytest.raises(Problem):
        people.add(name, "viewer", None, "oidc" if "a" * 61 not in name else "password")
    with pytest.raises(Problem, match="already"):
        people.add("Ada", "viewer", None, "oidc")
        people.add("ADA", "viewer", None, "oidc")
