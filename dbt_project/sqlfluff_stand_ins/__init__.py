"""What the project's macros look like to sqlfluff, whose jinja templater knows neither `return` nor `adapter.dispatch`.

Belongs here: for each macro that a model calls, SQL of the same shape, or the names that the real macro returns. Does
not belong here: meaning; nothing but the linter reads this.
"""

from __future__ import annotations


def _call(*arguments: object, **_: object) -> str:
    return f"coalesce({', '.join(str(argument) for argument in arguments) or '0'})"


def _measures(*_: object) -> str:
    return "sum(attempts_count) as attempts_count"


def landed_log(table: str) -> str:
    """A table that has landed."""
    return f"landing.{table}"


def on_built_days(column: str = "usage_date", *_: object) -> str:
    """The predicate that bounds a model to the days of a run."""
    return f"{column} = current_date"


def between_built_days(column: str, *_: object) -> str:
    """The predicate that bounds a model to more than the days of a run."""
    return f"{column} = current_date"


def days_of_rule(column: str, *_: object) -> str:
    """The predicate that bounds an alert rule to the days that it compares."""
    return f"{column} = current_date"


def days_after() -> int:
    """Any number of days."""
    return 7


def longest_baseline_days() -> int:
    """Any number of days."""
    return 7


def zero_usd() -> str:
    """No money."""
    return "cast(0 as decimal(38, 12))"


def as_known_pull_id() -> str:
    """The newest pull that counts."""
    return "'9'"


def attribution_columns() -> list[str]:
    """A few of the columns."""
    return ["tenant_id", "feature"]


def attribution_defaults() -> dict[str, str]:
    """A few of the columns, with what stands for unknown."""
    return {"tenant_id": "'unattributed'"}


def fee_columns() -> list[str]:
    """A few of the columns."""
    return ["web_search_requests"]


def token_classes() -> list[str]:
    """A few of the classes."""
    return ["input", "output"]


def price_classes() -> list[str]:
    """A few of the classes."""
    return ["input", "output"]


def extra_classes() -> dict[str, str | None]:
    """A class with a column and one without."""
    return {"web_search": "web_search_requests", "file_search": None}


def apiece_classes() -> dict[str, str | None]:
    """A class with a column and one without."""
    return {"image": "images", "page": None}


def token_class_list() -> str:
    """A few of the classes."""
    return "'input', 'output'"


def text_ranges(models: str, points: str) -> str:
    """Ranges that cover all text."""
    return f"select * from {models} union all select * from {points}"


def usage_warnings() -> list[str]:
    """A few of the codes."""
    return ["usage_missing"]


def cost_components() -> list[str]:
    """A few of the components."""
    return ["input", "output"]


def billed_classes() -> dict[str, str]:
    """A few of the classes, with the column that weighs them."""
    return {"input": "input_class_tokens", "web_search": "web_search_requests", "account_total": "estimate"}


def total_classes() -> list[str]:
    """The classes of a line that names none."""
    return ["account_total"]


def modelless_classes() -> list[str]:
    """Classes without a model."""
    return ["web_search", "account_total"]


def billing_keys() -> list[str]:
    """A few of the keys."""
    return ["provider_project", "priced_model"]


def is_billable() -> str:
    """A predicate."""
    return "price_status <> 'refused_by_provider'"


def name_list(_names: object) -> str:
    """Any list."""
    return "('openai')"


def whole_number() -> str:
    """A type."""
    return "hugeint"


def taken_of_cells(cells: str, _level: str) -> str:
    """A level of the true-up."""
    return f"select {cells}.*, 1 as taken_units from {cells} left join demands on {cells}.provider = demands.provider"


def passed_on() -> str:
    """Three figures."""
    return "0 as own_units, 1 as charge_units, 2 as passed_quantity"


def given_of_class(usage_class: str) -> str:
    """Three figures."""
    return f"sum(requests.{usage_class}_weight) as {usage_class}_given_units"


def sum_of_cells() -> str:
    """Three figures."""
    return "sum(own_units) as own_units"


def reconciled_cells(_keys: object, _project: str) -> str:
    """A CTE."""
    return "reconciled as (select * from weighed)"


def estimated_classes() -> dict[str, object]:
    """A few of the classes."""
    return {"input": {}, "fee": {}}


def usage_apis() -> dict[str, dict[str, object]]:
    """Two of the interfaces."""
    return {"openai.chat": {"input_includes_cache": True}, "anthropic.messages": {"input_includes_cache": False}}


def priced_counts() -> dict[str, str]:
    """One of the counts."""
    return {"priced_attempts_count": "1"}


def wasted_attempts() -> dict[str, str]:
    """Some of the kinds."""
    return {"abandoned_cost_usd": "outcome = 'cancelled'", "failed_first_cost_usd": "outcome = 'error'"}


def steady_sum(value: str) -> str:
    """A sum whose order is fixed."""
    return f"sum({value} order by {value})"


def days_between(first: object, last: object) -> str:
    """A query of days."""
    return f"select {first} as usage_date union all select {last} as usage_date"


def change_effects() -> list[str]:
    """Some of the effects."""
    return ["list_price_effect_usd", "true_up_effect_usd"]


def decomposed_change(*relations: object) -> str:
    """A query over what it is given."""
    return " union all ".join(f"select * from {relation}" for relation in relations)


change_drivers = decomposed_change


def with_plan_name(relation: object) -> str:
    """The rows of what it is given."""
    return f"select * from {relation}"


landed_window = landed_state = landed_log
class_cost_usd = fee_cost_usd = token_cost_usd = share_of_units = units_to_usd = usd = usd_to_units = _call
settles_at = usage_service_tier = usage_inference_geo = _call
first_known_value = moment_order = provider_name = ratio = served_tier_name = service_tier_name = _call
sum_of_class_costs = text_list = usage_count = value_at_max = hash64 = json_text = json_bigint = whole_division = _call
agreed_cost_usd = fees_cost_usd = uncached_modality_tokens = _call
model_lookup_name = other_apiece_cost = other_count = other_usage = price_with_fallback = priced_tier = _call
name_similarity = serving_place = utc_minute_of_day = _call
charge_category = sum_of_class_estimates = sum_of_weights = units_of_request = weight_order = _call
cube_measures = sum_of_cube_measures = sum_of_unit_measures = _measures


def request_ratios(*_: object) -> str:
    """A ratio."""
    return "coalesce(retries_count, 0) as retry_rate"


unit_ratios = request_ratios


def var(_name: str, _default: object = None) -> int:
    """Any variable of the project; all of them are numbers."""
    return 7


def env_var(_name: str, default: str = "") -> str:
    """No environment."""
    return default


focus_provider = focus_tokens_per_unit = usd_of_cents = _call


def text_in_json_if_any(column: str, _path: str) -> str:
    """A text."""
    return column


def with_earlier_days(days: str, *_: object, **__: object) -> str:
    """A relation with the sums of the days before."""
    return f"select * from {days}"


def breaches(measured: str, *_: object, **__: object) -> str:
    """What breaks a rule."""
    return f"select * from {measured}"


def ranked_drivers(drivers: str, keys: list[str]) -> str:
    """Drivers with their ranks."""
    return f"select * from {drivers} order by {', '.join(keys)}"


def driver_sentences(drivers: str, keys: list[str]) -> str:
    """A sentence for each key."""
    return f"select {', '.join(keys)} from {drivers}"


def beyond_noise(broken: str, days: str, *_: object) -> str:
    """What of it lies beyond noise."""
    return f"select {broken}.* from {broken} inner join {days} on {broken}.usage_date = {days}.usage_date"


def money_text(amount_usd: str) -> str:
    """Money for people."""
    return f"cast({amount_usd} as varchar)"


def numbers_to(last: int) -> str:
    """A query of whole numbers."""
    return f"select {last} as step_days"
