"""The statistics of the answer find what was planted, and hold to the identities they must."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from benchmarks.planted import grids
from benchmarks.planted.grids import HUMAN_USD, SYNTHETIC_USD, Design
from benchmarks.planted.labels import bootstrapped, drawn_labels
from core import metrics
from core.errors import Problem
from core.statistics import figures
from core.statistics.answer import best_split
from core.statistics.comparisons import compared, holm
from core.statistics.covariance import covariance
from core.statistics.exchange import exchange_rate
from core.statistics.harm import Case, harm
from core.statistics.intervals import NEW_ITEMS, THIS_POOL, parts
from core.statistics.plateau import plateau
from core.statistics.power import TYPICAL, components, power, price_of_more, table
from core.statistics.scores import Scores, chance_better, contrast, difference, score
from core.statistics.supply import Supply
from core.statistics.surface import fit_surface

SUPPLY = Supply(HUMAN_USD, SYNTHETIC_USD, training_usd=0.05)
BUDGET = 400.0


def drawn(truth, n_seeds, n_items, seed=0):
    return Scores(grids.answers(np.array(truth), n_seeds, n_items, np.random.default_rng(seed)))


def answered(shape, n_seeds, n_items, seed=0, supply=SUPPLY):
    rng = np.random.default_rng(seed)
    design = Design(shape)
    scores = design.drawn(n_seeds, n_items, rng)
    surface = fit_surface(design.cells, covariance(scores))
    return best_split(surface, scores, supply, BUDGET, rng), design


# Scores and differences.


def test_with_one_seed_a_difference_is_the_paired_t_over_items() -> None:
    scores = drawn([0.7, 0.75], 1, 300)
    found = difference(scores, 1, 0)
    test = stats.ttest_rel(scores.values[1, 0], scores.values[0, 0]).confidence_interval()
    assert (found.low, found.high) == (pytest.approx(test.low), pytest.approx(test.high))
    assert found.about == NEW_ITEMS and found.refused == "1 of at least 3 seeds"


def test_without_noise_of_both_the_variance_is_that_of_seeds_plus_that_of_items() -> None:
    rng = np.random.default_rng(0)
    seeds, items = rng.normal(size=(4, 1)), rng.normal(size=(1, 50))
    found = parts(seeds + items)
    assert found.both == pytest.approx(0, abs=1e-20)
    assert found.variance == pytest.approx(seeds.var(ddof=1) / 4 + items.var(ddof=1) / 50)


def test_the_order_of_seeds_and_items_changes_nothing() -> None:
    scores, rng = drawn([0.7, 0.75, 0.8], 5, 200), np.random.default_rng(1)
    seeds, items = rng.permutation(5), rng.permutation(200)
    mixed = Scores(scores.values[:, seeds][:, :, items])
    for cell in range(3):
        one, other = score(scores, cell), score(mixed, cell)
        assert [one.low, one.high] == pytest.approx([other.low, other.high])
    assert covariance(mixed).total == pytest.approx(covariance(scores).total)


def test_a_constant_on_a_cell_shifts_its_mean_and_nothing_else() -> None:
    scores = drawn([0.7, 0.75], 5, 200)
    moved = Scores(scores.values + np.array([0.0, 0.1])[:, None, None])
    one, other = difference(scores, 1, 0), difference(moved, 1, 0)
    assert other.estimate == pytest.approx(one.estimate + 0.1)
    assert (other.error, other.degrees) == pytest.approx((one.error, one.degrees))


def test_two_identical_cells_do_not_differ_and_may_both_be_the_best() -> None:
    scores = drawn([0.7, 0.75], 5, 200)
    twice = Scores(np.concatenate([scores.values, scores.values]))
    found = difference(twice, 1, 3)
    assert (found.estimate, found.low, found.high) == (0, 0, 0)
    best = compared(covariance(twice), np.random.default_rng(0)).best
    assert best[1] and best[3] and best[0] == best[2]


def test_a_missing_trial_drops_its_seed_where_it_counts_and_only_there() -> None:
    scores = drawn([0.7, 0.75, 0.8], 5, 200)
    scores.values[1, 2] = np.nan
    assert score(scores, 0).n_seeds == 5 and difference(scores, 0, 1).n_seeds == 4
    assert covariance(scores).n_seeds == 4
    scores.values[1] = np.nan
    assert difference(scores, 0, 1).refused == "no seed has all the trials"
    scores.values[2, 0, 3] = np.nan
    with pytest.raises(Problem):
        Scores(scores.values)


def test_one_training_beats_another_as_often_as_is_said() -> None:
    found = chance_better(drawn([0.71, 0.7], 20, 400), 0, 1)
    rng, truth = np.random.default_rng(1), np.array([0.71, 0.7])
    pairs = [grids.answers(truth, 1, 400, rng).mean(axis=2)[:, 0] for _ in range(2000)]
    assert found == pytest.approx(np.mean([a > b for a, b in pairs]), abs=0.1)
    same = drawn([0.7], 5, 100)
    assert chance_better(Scores(np.concatenate([same.values] * 2)), 0, 1) == 0.5
    assert chance_better(drawn([0.7, 0.8], 1, 100), 0, 1) is None


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    rng, held = np.random.default_rng(0), np.zeros(2)
    truth = np.array([0.7, 0.72])
    for _ in range(600):
        scores = Scores(grids.answers(truth, 5, 200, rng))
        one, two = score(scores, 0), difference(scores, 1, 0)
        held += [one.low <= 0.7 <= one.high, two.low <= 0.02 <= two.high]
    assert 0.93 <= held[0] / 600 <= 0.97 and 0.93 <= held[1] / 600 <= 0.985


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_draws_from_one_pool_are_widened_to_new_pools(share: float) -> None:
    rng, held = np.random.default_rng(0), 0
    for _ in range(400):
        one = score(grids.of_pool(share, 5, 200, rng), 0)
        held += one.low <= grids.POOL_TRUTH <= one.high
    assert held / 400 >= 0.92
    most = Scores(grids.of_pool(0.5, 5, 200, rng).values, np.array([0.8]))
    assert score(most, 0).about == THIS_POOL


# Figures that are no means.


def test_values_of_macro_f1_have_it_as_their_mean_and_the_error_of_a_bootstrap() -> None:
    rng = np.random.default_rng(0)
    gold, said = drawn_labels(4, 400, rng)
    values = figures.label_f1(gold, said, 6)
    names = [str(label) for label in range(6)]
    known = metrics.classification([names[g] for g in gold], [names[p] for p in said[1, 2]], names)
    assert values[1, 2].mean() == pytest.approx(known["macro_f1"])
    of_class = figures.label_f1(gold, said, 6, label=5)[1, 2].mean()
    assert of_class == pytest.approx(known["per_class"]["5"]["f1"])
    for weights in ([0, 1], [-1, 1]):
        one = contrast(Scores(values), weights)
        other = bootstrapped(gold, said, weights, rng)
        assert one.estimate == pytest.approx(other.estimate, abs=1e-6)
        assert one.error == pytest.approx(other.error, rel=0.05)


def test_values_of_roc_auc_have_it_as_their_mean_and_delongs_variance() -> None:
    rng = np.random.default_rng(0)
    gold = rng.integers(0, 3, 240)
    chances = rng.dirichlet([1, 1, 1], (2, 3, 240)).round(2)
    chances[..., np.arange(240), gold] += 0.2
    values = figures.roc_auc(gold, chances)
    known = metrics.roc_auc([str(g) for g in gold], chances[1, 2], ["0", "1", "2"])
    assert values[1, 2].mean() == pytest.approx(known)
    is_it, chance = gold == 1, chances[0, 0][:, 1]
    above = chance[is_it][:, None] - chance[~is_it]
    wins = (above > 0) + 0.5 * (above == 0)
    delong = wins.mean(1).var(ddof=1) / is_it.sum() + wins.mean(0).var(ddof=1) / (~is_it).sum()
    two = figures.roc_auc(is_it.astype(int), chances[:1, :1, :, 1][..., None] * [-1, 1])
    assert two[0, 0].var(ddof=1) / 240 == pytest.approx(delong, rel=0.02)


@pytest.mark.parametrize("how", ["micro", "macro", "weighted"])
def test_values_of_counted_f1_are_its_derivatives(how: str) -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 3, (1, 1, 40, 2, 3)).astype(float)
    counts[..., 0] = np.minimum(counts[..., 1], counts[..., 2])

    def figure(weights):
        right, said, there = np.moveaxis(np.einsum("t,tnk->nk", weights, counts[0, 0]), -1, 0)
        if how == "micro":
            return 2 * right.sum() / (said + there).sum()
        f1 = 2 * right / (said + there)
        return float(np.average(f1, weights=there if how == "weighted" else None))

    values = figures.counted_f1(counts, how)[0, 0]
    even = np.ones(40)
    assert values.mean() == pytest.approx(figure(even))
    step = 1e-6 * np.eye(40)[7]
    slope = (figure(even + step) - figure(even - step)) / 2e-6
    assert (values[7] - values.mean()) / 40 == pytest.approx(slope, abs=1e-7)


def test_items_of_documents_count_as_documents() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), rng.integers(1, 9, 40))
    values = (rng.normal(size=40)[groups] + rng.normal(size=(2, 3, len(groups)))) / 10
    found = figures.grouped(values, groups)
    assert found.mean(axis=2) == pytest.approx(values.mean(axis=2))
    assert score(Scores(found), 0).n_items == 40
    assert score(Scores(found), 0).error > 1.3 * score(Scores(values), 0).error


# Many comparisons.


def test_holm_takes_the_smallest_first() -> None:
    assert holm([0.01, 0.02, 0.03, 0.005]) == pytest.approx([0.03, 0.04, 0.04, 0.02])
    assert holm([]) == []


def test_of_equal_cells_some_differ_in_one_case_of_twenty_and_the_band_holds() -> None:
    rng, differ, held, kept = np.random.default_rng(0), 0, 0, 0
    for _ in range(200):
        band = compared(covariance(Scores(grids.answers(np.full(5, 0.7), 5, 300, rng))), rng)
        differ += band.do_differ
        held += bool(((band.low <= 0.7) & (band.high >= 0.7)).all())
        kept += band.best[0]
    assert differ <= 16 and held >= 180 and kept >= 184


# The surface and the split.


def test_a_surface_finds_the_planted_one_and_says_where_it_may_be_asked() -> None:
    design = Design("peak at 80%")
    known = covariance(design.drawn(10, 3000, np.random.default_rng(0)))
    surface = fit_surface(design.cells, known)
    shares = np.linspace(0, 1, 11)
    sizes = SUPPLY.sizes(BUDGET, shares)
    means, spread = surface.predict(sizes)
    missed = means - design.at(BUDGET, shares)
    assert np.abs(missed - missed.mean()).max() < 0.01
    assert np.linalg.eigvalsh(spread).min() > -1e-8
    assert surface.refused is None and surface.left_out < 3 * surface.noise
    assert surface.reaches(SUPPLY.sizes(1500, shares)).all()
    assert not surface.reaches(SUPPLY.sizes(1700, np.array([0.0, 1.0]))).any()
    has_both = (design.cells > 0).all(axis=1)
    inner = fit_surface(design.cells[has_both], known.of(np.flatnonzero(has_both)))
    assert not inner.reaches(sizes[[0, -1]]).any() and inner.reaches(sizes[1:-1]).all()


def test_a_surface_is_refused_where_it_cannot_be_trusted() -> None:
    design = Design("decline")
    known = covariance(design.drawn(5, 1000, np.random.default_rng(0)))

    def refused(cells, found=known):
        return fit_surface(design.cells[cells], found.of(np.array(cells))).refused

    assert refused(range(27)) is None
    assert refused([0, 1, 2, 9, 10, 11]) == "6 of at least 8 cells"
    assert refused(range(9)) == "all cells have one budget"
    rough = replace(known, means=known.means + 0.2 * (np.arange(27) % 2))
    assert "left out are missed" in refused(range(27), rough)
    few = covariance(design.drawn(2, 1000, np.random.default_rng(0)))
    assert refused(range(27), few) == "2 of at least 3 seeds"


def test_a_planted_peak_is_found_clearly() -> None:
    found, design = answered("peak at 80%", 5, 1000)
    truth = design.at(BUDGET, found.shares)
    assert found.verdict == "clear" and found.why is None and not found.remedies
    assert truth.max() - design.at(BUDGET, np.array([found.share]))[0] <= 0.01
    assert found.regret <= 0.01 and found.chances.sum() == pytest.approx(1)
    assert found.share in found.open_shares and found.share in grids.SHARES
    assert found.share in found.within and 0.0 not in found.within
    own = design.at(BUDGET, np.array([found.share]))[0]
    assert found.score.low <= own <= found.score.high
    assert (found.n_seeds, found.n_items) == (5, 1000)


def test_where_no_share_matters_the_most_human_is_taken() -> None:
    found, _ = answered("flat", 10, 3000)
    assert found.verdict == "does_not_matter"
    assert found.share == found.within[0] and len(found.within) > 10


def test_too_few_trials_cannot_tell_and_say_what_would() -> None:
    found, _ = answered("tilt up", 3, 200)
    assert found.verdict == "cannot_tell" and found.why and found.refused is None
    known, _ = answered("decline", 3, 200)
    assert known.verdict == "cannot_tell"
    costs = [remedy.cost_usd for remedy in known.remedies]
    assert costs and costs == sorted(costs)
    seeds = next(one for one in known.remedies if one.what == "seeds")
    assert seeds.cost_usd == pytest.approx(seeds.n_more * 27 * 0.05)


def test_a_cliff_at_all_synthetic_is_never_recommended_and_claims_are_seldom_wrong() -> None:
    wrong = 0
    for seed in range(6):
        for n_seeds, n_items in ((3, 200), (5, 1000)):
            found, design = answered("cliff at 100%", n_seeds, n_items, seed)
            assert found.share < 1 and 1.0 not in found.within
            lost = design.at(BUDGET, found.shares).max() - design.at(BUDGET, np.array(found.share))
            wrong += found.verdict != "cannot_tell" and lost > 0.01
    assert wrong <= 1


def test_only_shares_that_the_pools_can_fill_are_chosen() -> None:
    few = replace(SUPPLY, most_synthetic=8000)
    found, _ = answered("peak at 80%", 5, 1000, supply=few)
    assert found.shares.max() == pytest.approx(0.4)
    none = replace(SUPPLY, most_human=0, most_synthetic=0)
    assert answered("flat", 5, 1000, supply=none)[0].refused


def test_a_budget_without_trials_of_its_own_asks_for_cells() -> None:
    rng, design = np.random.default_rng(0), Design("decline")
    scores = design.drawn(5, 1000, rng)
    surface = fit_surface(design.cells, covariance(scores))
    found = best_split(surface, scores, SUPPLY, 570.0, rng)
    assert found.verdict == "cannot_tell" and "fewer than two cells" in found.why
    assert [one.what for one in found.remedies] == ["cells"]


# What follows from a surface or from scores.


def test_the_exchange_rate_is_found_and_infinity_is_a_value() -> None:
    design, rng = grids.Worth("worth"), np.random.default_rng(0)
    surface = fit_surface(design.cells, covariance(design.drawn(10, 3000, rng)))
    found = exchange_rate(surface, 1000, 2000, 200, rng)
    assert found.low <= design.rate(1000, 2000, 200) <= found.high
    assert found.says == "between" and found.estimate < 20
    assert exchange_rate(surface, 1000, 2000, 200, rng, 39).refused == "39 of at least 40 items"
    far = exchange_rate(surface, 1e6, 2000, 200, rng)
    assert far.refused == "too far from what was trained"
    # Where synthetic rows are worth nothing, no number of them replaces a human one.
    only = Design("decline")
    means = 0.9 - 0.5 * ((only.cells[:, 0] + 50) / 100) ** -0.4
    useless = replace(covariance(only.drawn(10, 3000, rng)), means=means)
    never = exchange_rate(fit_surface(only.cells, useless), 1000, 2000, 1000, rng)
    assert never.says in ("none within range", "at least") and never.high == np.inf
    flat = fit_surface(only.cells, replace(useless, means=np.full(27, 0.7)))
    assert exchange_rate(flat, 1000, 2000, 200, rng).says == "not defined"


def test_buying_goes_on_while_it_pays_and_stops_when_it_does_not() -> None:
    spent = 10.0 * np.arange(1, 11)
    paying = drawn(0.5 + 0.03 * np.arange(10), 5, 1000)
    assert plateau(paying, spent, 0.01).says == "keep buying"
    found = plateau(drawn(np.full(10, 0.7), 5, 1000), spent, 0.01)
    assert found.says == "stop" and found.high < 0.01
    few = plateau(drawn([0.7] * 4, 5, 100), spent[:4], 0.01)
    assert few.says == "not yet known" and few.refused == "4 of at least 5 looks"
    assert plateau(paying, spent, 0.01, planned=9).refused
    two = plateau(drawn(np.full(10, 0.7), 2, 1000), spent, 0.01)
    assert two.says == "not yet known" and two.refused == "2 of at least 3 seeds"
    later = plateau(drawn(np.full(10, 0.7), 5, 1000), spent, 0.01, planned=None)
    assert later.high > found.high


def test_buying_is_seldom_stopped_at_the_very_boundary() -> None:
    rng, stopped = np.random.default_rng(0), 0
    spent = 10.0 * np.arange(1, 21)
    for _ in range(60):
        values = grids.answers(0.6 + 0.001 * spent, 5, 300, rng)
        stopped += any(
            plateau(Scores(values[:t]), spent[:t], 0.01).says == "stop" for t in range(5, 21)
        )
    assert stopped <= 6


def test_the_printed_difference_is_found_in_four_of_five_studies() -> None:
    rng = np.random.default_rng(0)
    for n_seeds, comparisons in ((3, 8), (5, 1)):
        least = power(TYPICAL, n_seeds, 500, comparisons).difference
        trials = [grids.apart(least, n_seeds, 500, rng) for _ in range(400)]
        found = [difference(one, 0, 1, 1 - 0.05 / comparisons).low > 0 for one in trials]
        assert 0.75 <= np.mean(found) <= 0.85
    cells = table(TYPICAL, [3, 5], [200, 1000], comparisons=8)
    assert [one.difference for one in cells] == sorted(one.difference for one in cells)[::-1]
    assert power(TYPICAL, 1, 1000).refused
    assert price_of_more(27, 0.05, 0.2).seed_usd == pytest.approx(1.35)
    assert price_of_more(27, None, 0.2).items_usd == pytest.approx(20)


def test_a_pilot_shows_the_components_that_were_planted() -> None:
    found = components(drawn([0.7, 0.7], 40, 4000))
    assert (found.seed, found.item, found.both) == pytest.approx(
        (grids.SEED_SD, grids.ITEM_SD, grids.BOTH_SD), rel=0.3
    )
    assert components(drawn([0.7, 0.7], 1, 100)).refused == "1 of at least 2 seeds"


def test_a_planted_harm_gives_an_alarm_and_no_alarm_still_has_a_limit() -> None:
    cases = [
        Case("harmed", drawn([0.75, 0.65], 5, 1000), 1000),
        Case("not", drawn([0.7, 0.71], 5, 1000, seed=1), 1000),
        Case("small", drawn([0.75, 0.45], 5, 15, seed=2), 15),
    ]
    harmed, fine, small = harm(cases)
    assert harmed.is_alarm and harmed.chance < 0.01 and harmed.high > 0.1
    assert not fine.is_alarm and fine.high > fine.estimate
    assert small.refused == "15 of at least 20 items" and not small.is_alarm
    assert small.chance is None
    same = drawn([0.7], 5, 100)
    twin = Case("same", Scores(np.concatenate([same.values] * 2)), 100)
    assert harm([twin])[0].chance == 1 and harm([]) == []


def test_importing_them_loads_nothing_heavy() -> None:
    names = "answer comparisons exchange figures harm plateau power surface"
    code = "import sys\n" + "".join(f"import core.statistics.{name}\n" for name in names.split())
    code += "print([one for one in ('scipy', 'pandas', 'sklearn') if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
