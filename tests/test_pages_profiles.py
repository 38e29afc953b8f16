"""Profile and Map on Curate: what they show before and after there are vectors."""

from __future__ import annotations

from core.actions import vectors
from tests.test_pages_curating import click, fresh_server, pick, visit, words  # noqa: F401


def show(app, mode: str):
    pick(app.get("button_group"), "Show").set_value(mode)
    app.run()
    assert not app.exception
    return app


def test_a_profile_is_there_before_any_vector(project, quick_vectors):
    app = show(visit("curate"), "Profile")
    told = words(app)
    assert "None of 150 texts has a vector yet" in told
    assert "n = 60 human, 60 synthetic texts." in told
    assert "Near duplicates over time" in told
    assert any(one.label.startswith("Compute vectors (about ") for one in app.button)


def test_a_map_waits_for_vectors_and_is_there_when_they_are(project, quick_vectors):
    app = show(visit("curate"), "Map")
    assert "There is no map yet" in words(app)
    next(one for one in app.button if one.label.startswith("Compute vectors")).click()
    app.run()
    assert not app.exception
    vectors.wait(vectors.state(project).job.id)
    app = show(visit("curate"), "Map")
    told = words(app).replace("\\", "")
    assert "Points: 60 of 60 human, 60 of 60 synthetic" in told
    assert "Click a point to read its sample" in told
    assert "Outliers: " in told
    pick(app.selectbox, "Class").set_value("sea").run()
    assert not app.exception
    show(app, "Profile")
    assert "Mean pairwise cosine" in str([one.proto for one in app.get("plotly_chart")])


def test_settings_of_the_checks_stay_with_the_project(project, quick_vectors):
    app = show(visit("curate"), "Map")
    pick(app.number_input, "Threshold").set_value(0.6)
    click(app, "Check with these")
    assert 0.6 in [each.get("threshold") for each in vectors.check_settings(project).values()]
