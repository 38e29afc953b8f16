"""What do planned looks say so far, in words and as a table?"""

from __future__ import annotations

from typing import Any

from core.actions.access import needs
from core.actions.budget import prices
from core.actions.plateau import Look, Standing
from core.actions.plateau_plans import METRICS, Plan, plans
from core.statistics.plateau import CHANCE, N_LAST, chance_of


def headline(now: Standing) -> str:
    """Return what the looks say, in a sentence."""
    per = f"{now.plan.per_rows:,} more rows"
    if now.reached is not None and now.reached.verdict is not None:
        high = now.reached.verdict.high or 0.0
        return (
            f"Plateau reached at look {now.reached.number} ({now.reached.size:,} synthetic rows):"
            f" stop buying. {per} gain {_at_most(high)}, and {now.plan.points} would matter."
        )
    said = now.verdict
    if said is None:
        return f"Cannot tell yet: no look of {now.plan.planned} is done."
    if said.refused:
        return f"Cannot tell yet: {said.refused}."
    words = f"{per} gain {points(said.estimate)} points (limits {points(said.low)} to"
    words += f" {points(said.high)})"
    return f"It goes on gaining: {words}." if said.does_gain else f"Cannot tell yet: {words}."


@needs("viewer")
def details(project: str, now: Standing) -> list[str]:
    """Return what the verdict rests on, in sentences."""
    plan, said = now.plan, now.verdict
    told = []
    if said is not None:
        told.append(f"{said.n_seeds} seeds, {said.n_items:,} items; {said.method}; {said.about}.")
    on = f"{plan.n_items:,} human train rows, held out of these looks and in no prompt so far"
    if plan.measured_on == "test":
        on = (
            f"the {plan.n_items:,} items of the test set: it decides when to stop, so that scores"
            " on it are somewhat too good afterwards"
        )
    told.append(f"{METRICS[plan.metric]} on {on}; {plan.n_human:,} human rows in every look.")
    told.append(
        f"Chance to stop too early: {CHANCE:.0%} in all by t (at most 5% in simulations),"
        f" {chance_of(1, plan.planned):.2%} at each of {plan.planned} planned looks from the"
        f" {N_LAST}th on; spent so far {now.spent:.2%}. It"
        " holds if gains do not grow later on."
    )
    usd = prices(project).synthetic_usd
    if usd:
        told.append(f"{plan.per_rows:,} synthetic rows cost ${usd * plan.per_rows:,.2f} today.")
    if n_left := now.n_close + now.n_showed:
        told.append(
            f"{n_left:,} synthetic rows train no look: {now.n_close:,} are close to an item or a"
            f" test text, the prompts of {now.n_showed:,} showed an item."
        )
    if n_others := len(plans(project)) - 1:
        told.append(f"{n_others} other plan{'s' * (n_others > 1)} of this project spent their own.")
    return told


def rows_of(now: Standing) -> list[dict[str, Any]]:
    """Return one row per planned look, as a table shows them."""
    made = {look.number: look for look in now.looks}
    return [
        {"look": number, "synthetic rows": size, **_row(made.get(number), now.plan)}
        for number, size in enumerate(now.plan.sizes, 1)
    ]


def _row(look: Look | None, plan: Plan) -> dict[str, Any]:
    figure, said = (look.score, look.verdict) if look else (None, None)
    gain = {
        f"gain per {plan.per_rows:,} rows": said and said.estimate,
        "gain low": said and said.low,
        "gain high": said and said.high,
    }
    state = "planned" if look is None else look.job.state if look.job else "not started"
    if said is not None:
        state = said.refused or ("gains" if said.does_gain else _WORDS[said.says])
    return {
        "says": state,
        plan.metric: figure and figure.estimate,
        "low": figure and figure.low,
        "high": figure and figure.high,
        **gain,
        "seeds": figure and figure.n_seeds,
    }


_WORDS = {
    "stop": "plateau reached", "keep buying": "cannot tell yet", "not yet known": "cannot tell yet",
}  # fmt: skip


def points(value: float | None) -> str:
    """Return a difference of scores in points, with its sign."""
    return "unknown" if value is None else f"{100 * value:+.2f}".replace("-", "−")


def _at_most(high: float) -> str:
    return f"at most {100 * high:.2f} points" if high > 0 else "nothing that can be seen"
