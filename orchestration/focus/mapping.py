"""The mapping of published marts to FOCUS datasets, in SQL.

Belongs here: what each column is made of. Does not belong here: opening marts and writing files (`export`), and the
rules that the result must keep (`rules`).

Every dollar of the bill is in one row. What requests take of it stands under day, account, project, tenant, feature,
model, tier and meter; what none of them takes stands under its reason. So BilledCost sums to the bill, to 10^-12 USD.

Marts know what a request was billed, not what each of its meters was. The billed cost of a group is split over its
meters by their list price, in whole units of 10^-12 USD, what rounding leaves to the heaviest; the group's sum is
exact. A unit price is the average of its row, to 18 places, so that unit price x quantity is the cost again.
"""

from __future__ import annotations

from datetime import date

from orchestration.closing.figures import month_condition
from orchestration.sql import literal


def statements(month: date, *, is_closed: bool, has_invoices: bool) -> list[str]:
    """Return the statements that create the views `CostAndUsage`, `BillingPeriod` and `InvoiceDetail`.

    They read published marts and the table `provider_names (provider, provider_name, service_name)`.

    Args:
        month: First UTC day of the month.
        is_closed: Whether the month has been closed.
        has_invoices: Whether `fct_provider_charges` has the column `invoice_id`.
    """
    days = month_condition(month)
    return [
        _CHARGES.format(days=days, invoice_id="invoice_id" if has_invoices else "cast(null as varchar)"),
        _ACCOUNTS,
        _GROUPS.format(days=days),
        _METERS,
        _SPLIT,
        _ROWS.format(days=days),
        _COST_AND_USAGE.format(month=month),
        _BILLING_PERIOD.format(month=month, status="Closed" if is_closed else "Open"),
        _INVOICE_DETAIL.format(month=month),
    ]


_CHARGES = """
create temporary table focus_charges as
select *, {invoice_id} as focus_invoice_id
from fct_provider_charges
where {days}
"""

_ACCOUNTS = """
-- A row that names no account gets the only one that the provider billed.
create temporary table focus_accounts as
select
    provider,
    case when count(distinct provider_account) = 1 then min(provider_account) end as only_account,
    -- The same for its invoice: known only where every line of the month has the same one.
    case when count(distinct focus_invoice_id) = 1 and count(focus_invoice_id) = count(*) then min(focus_invoice_id) end
        as only_invoice_id,
    max(pull_id) as newest_pull_id
from focus_charges
group by provider
"""

_GROUPS = """
-- What requests take of the bill. Answers from our own cache, and calls that the provider refused, are no charges.
create temporary table focus_groups as
select
    row_number() over () as group_id,
    *
from (
    select
        usage_date, provider, provider_account, provider_project, region, tenant_id, feature, environment,
        priced_model, service_tier, allocation_method,
        sum(billed_cost_usd) as billed_cost_usd,
        sum(contracted_cost_usd) as contracted_cost_usd,
        sum(list_cost_usd) as list_cost_usd,
        count(*) = count(list_cost_usd) and count(*) = count(contracted_cost_usd) as is_priced,
        sum(input_cost_usd) as input_cost_usd,
        sum(cache_read_cost_usd) as cache_read_cost_usd,
        sum(cache_write_cost_usd) as cache_write_cost_usd,
        sum(output_cost_usd) as output_cost_usd,
        sum(fee_cost_usd) as fee_cost_usd,
        sum(coalesce(input_class_tokens, 0) + coalesce(input_audio_class_tokens, 0)
            + coalesce(input_image_class_tokens, 0)) as input_tokens,
        sum(coalesce(cache_read_class_tokens, 0)) as cache_read_tokens,
        sum(coalesce(cache_write_5m_class_tokens, 0) + coalesce(cache_write_1h_class_tokens, 0)
            + coalesce(cache_write_30m_class_tokens, 0) + coalesce(cache_write_12h_class_tokens, 0))
            as cache_write_tokens,
        sum(coalesce(output_class_tokens, 0) + coalesce(output_audio_class_tokens, 0)) as output_tokens,
        sum(coalesce(web_search_requests, 0)) as searches_count
    from fct_llm_requests
    where {days} and billed_cost_usd is not null
        and price_status not in ('response_cache_hit', 'refused_by_provider')
    group by all
)
"""

_UNITS = "cast(cast({0} as decimal(26, 12)) * cast(1000000000000 as decimal(13, 0)) as hugeint)"
_USD = "cast(cast({0} as decimal(26, 0)) * cast(0.000000000001 as decimal(12, 12)) as decimal(38, 12))"

_WEIGHED_METERS = f"""
create temporary table focus_meters as
select
    *,
    -- What a meter weighs in the split of the billed cost: its price where all of the group is priced, else its tokens.
    case when is_priced and list_cost_usd > 0 then {_UNITS.format("meter_list_cost_usd")}
        else cast(quantity as hugeint) end as weight
from (
    {{meters}}
)
where quantity > 0 or meter_list_cost_usd <> 0 or is_fallback
"""

_METER = """
    select
        group_id, {number} as meter_number, {meter} as meter, {unit} as unit,
        {direction} as token_direction, {cache_action} as token_cache_action,
        cast({quantity} as decimal(38, 0)) as quantity, cast({cost} as decimal(38, 12)) as meter_list_cost_usd,
        is_priced, list_cost_usd, {is_fallback} as is_fallback
    from focus_groups
"""

_METERS = _WEIGHED_METERS.format(
    meters=" union all ".join(
        _METER.format(
            number=number,
            meter=literal(meter),
            unit=literal(unit),
            direction=literal(direction) if direction else "null",
            cache_action=literal(cache_action) if cache_action else "null",
            quantity=quantity,
            cost=cost,
            is_fallback="true" if number == 1 else "false",
        )
        for number, (meter, unit, direction, cache_action, quantity, cost) in enumerate(
            (
                ("Input Tokens", "Tokens", "Input", "Uncached", "input_tokens", "input_cost_usd"),
                ("Cache Read Input Tokens", "Tokens", "Input", "Read", "cache_read_tokens", "cache_read_cost_usd"),
                ("Cache Write Input Tokens", "Tokens", "Input", "Write", "cache_write_tokens", "cache_write_cost_usd"),
                ("Output Tokens", "Tokens", "Output", None, "output_tokens", "output_cost_usd"),
                ("Searches And Fees", "Requests", None, None, "searches_count", "fee_cost_usd"),
            ),
            start=1,
        )
    )
)


def _split(amount: str) -> str:
    """Return SQL for the share of a meter in whole units: rounded towards zero, the rest to the heaviest."""
    units = _UNITS.format(f"coalesce(groups.{amount}, 0)")
    share = f"sign({units}) * ((abs({units}) * weight) // total_weight)"
    return f"{share} + case when is_heaviest then {units} - sum({share}) over (partition by group_id) else 0 end"


_SPLIT = f"""
create temporary table focus_split as
with weighed as (
    select
        * replace (case when weights_sum = 0 then cast(is_fallback as hugeint) else weight end as weight),
        greatest(weights_sum, 1) as total_weight
    from (select *, cast(sum(weight) over (partition by group_id) as hugeint) as weights_sum from focus_meters)
),
ranked as (
    select *, row_number() over (partition by group_id order by weight desc, meter_number) = 1 as is_heaviest
    from weighed
),
split as (
    select
        ranked.*,
        cast({_split("billed_cost_usd")} as hugeint) as billed_units,
        cast({_split("contracted_cost_usd")} as hugeint) as contracted_units
    from ranked inner join focus_groups as groups using (group_id)
)
select
    group_id, meter, unit, token_direction, token_cache_action, quantity,
    {_USD.format("billed_units")} as billed_cost_usd,
    {_USD.format("contracted_units")} as contracted_cost_usd,
    meter_list_cost_usd, is_priced
from split
where quantity > 0 or billed_units <> 0 or meter_list_cost_usd <> 0
"""

_ROWS = """
-- Both kinds of rows in one shape. A row whose cost is below nothing, or that counts nothing, is priced as one charge.
create temporary table focus_rows as
with rows_of_both_kinds as (
    select
        usage_date, provider, provider_account, provider_project, region, tenant_id, feature, environment, priced_model,
        service_tier, allocation_method, null as reason, 'Usage' as charge_category, meter, unit, token_direction,
        token_cache_action, quantity, focus_split.billed_cost_usd,
        case when focus_split.is_priced then meter_list_cost_usd else focus_split.billed_cost_usd end as list_cost_usd,
        case when focus_split.is_priced then focus_split.contracted_cost_usd else focus_split.billed_cost_usd end
            as contracted_cost_usd
    from focus_split inner join focus_groups using (group_id)
    union all
    select
        usage_date, provider, null, null, null, null, null, null, null, null, null, reason,
        case reason when 'credit' then 'Credit' when 'tax' then 'Tax' else 'Usage' end,
        'Unattributed Usage', 'Charges', null, null, cast(lines_count as decimal(38, 0)),
        amount_usd, amount_usd, amount_usd
    from unattributed_cost_by_provider_day
    where {days} and amount_usd <> 0
)
select
    *,
    charge_category = 'Usage' as is_usage,
    quantity > 0 and list_cost_usd >= 0 and contracted_cost_usd >= 0 and unit = 'Tokens' as is_by_token,
    quantity > 0 and list_cost_usd >= 0 and contracted_cost_usd >= 0 and unit = 'Requests' as is_by_request,
    case when list_cost_usd < 0 or contracted_cost_usd < 0 then -1 else 1 end as charge_sign
from rows_of_both_kinds
"""


_SMALLEST_PRICE = "cast(0.000000000000000001 as decimal(18, 18))"


def _unit_price(cost: str) -> str:
    """Return SQL for cost / pricing quantity, rounded to 18 places, in whole numbers all the way."""
    units = _UNITS.format(cost)

    def rounded(numerator: str, denominator: str) -> str:
        quotient = f"(2 * {numerator} + {denominator}) // (2 * {denominator})"
        return f"cast(cast({quotient} as decimal(38, 0)) * {_SMALLEST_PRICE} as decimal(38, 18))"

    tokens = "cast(quantity as hugeint)"
    return (
        f"case when not is_usage then null "
        f"when is_by_token then {rounded(f'({units} * 1000000000000)', tokens)} "
        f"when is_by_request then {rounded(f'({units} * 1000000)', tokens)} "
        f"else cast(abs({cost}) as decimal(38, 18)) end"
    )


_COST_AND_USAGE = (
    (
        """
create temporary view CostAndUsage as
select
    case when reason is null then allocation_method end as AllocatedMethodId,
    case when reason is null then json_object('x_Method', allocation_method) end as AllocatedMethodDetails,
    Tags as AllocatedTags,
    focus_rows.billed_cost_usd as BilledCost,
    coalesce(focus_rows.provider_account, only_account, focus_rows.provider || ':unknown') as BillingAccountId,
    'USD' as BillingCurrency,
    timestamptz '{month} 00:00:00Z' as BillingPeriodStart,
    timestamptz '{month} 00:00:00Z' + interval 1 month as BillingPeriodEnd,
    charge_category as ChargeCategory,
    case
        when reason is null then concat_ws(' ', priced_model, lower(meter), service_tier)
        else replace(reason, '_', ' ')
    end as ChargeDescription,
    case when is_usage then 'Usage-Based' else 'One-Time' end as ChargeFrequency,
    cast(usage_date as timestamptz) as ChargePeriodStart,
    cast(usage_date + 1 as timestamptz) as ChargePeriodEnd,
    -- No commitments are known; the official validator reads this column to judge ConsumedQuantity.
    cast(null as varchar) as CommitmentDiscountStatus,
    case when is_usage then quantity end as ConsumedQuantity,
    case when is_usage then unit end as ConsumedUnit,
    focus_rows.contracted_cost_usd as ContractedCost,
    {contracted_unit_price} as ContractedUnitPrice,
    focus_rows.billed_cost_usd as EffectiveCost,
    coalesce(provider_name, focus_rows.provider) as HostProviderName,
    only_invoice_id as InvoiceId,
    only_invoice_id || '/' || charge_category as InvoiceDetailId,
    coalesce(provider_name, focus_rows.provider) as InvoiceIssuerName,
    focus_rows.list_cost_usd as ListCost,
    {list_unit_price} as ListUnitPrice,
    case when is_usage then 'Standard' end as PricingCategory,
    case
        when not is_usage then null
        when is_by_token
            then cast(cast(quantity as decimal(19, 0)) * cast(0.000001 as decimal(7, 6)) as decimal(38, 12))
        -- Each branch with its places: DuckDB gives a case of decimal(38, 12) and decimal(38, 0) none.
        when is_by_request then cast(quantity as decimal(38, 12))
        else cast(charge_sign as decimal(38, 12))
    end as PricingQuantity,
    case
        when not is_usage then null
        when is_by_token then '1000000 Tokens'
        when is_by_request then 'Requests'
        else 'Charges'
    end as PricingUnit,
    coalesce(provider_name, focus_rows.provider) as ProviderName,
    coalesce(provider_name, focus_rows.provider) as PublisherName,
    nullif(region, '') as RegionId,
    nullif(region, '') as RegionName,
    'AI and Machine Learning' as ServiceCategory,
    coalesce(service_name, focus_rows.provider) as ServiceName,
    coalesce(provider_name, focus_rows.provider) as ServiceProviderName,
    'Generative AI' as ServiceSubcategory,
    case when is_usage then focus_rows.provider || '/' || coalesce(priced_model, reason, 'unknown') end as SkuId,
    case when is_usage then meter end as SkuMeter,
    case when is_usage and priced_model is not null then
        json_object('x_ModelId', priced_model, 'x_ServiceTier', coalesce(service_tier, 'standard'))
    end as SkuPriceDetails,
    case when is_usage then
        concat_ws('/', focus_rows.provider, coalesce(priced_model, reason, 'unknown'), meter, service_tier)
    end as SkuPriceId,
    nullif(provider_project, '') as SubAccountId,
    nullif(provider_project, '') as SubAccountName,
    Tags,
    case when reason is null then allocation_method end as x_AllocationMethod,
    nullif(environment, '') as x_Environment,
    priced_model as x_ModelId,
    focus_rows.provider as x_Provider,
    service_tier as x_ServiceTier,
    token_cache_action as x_TokenCacheAction,
    token_direction as x_TokenDirection,
    reason as x_UnattributedReason
from (
    select
        *,
        -- What nobody said is no tag.
        nullif(cast(json_merge_patch('{{}}', json_object(
            'tenant_id', nullif(tenant_id, 'unattributed'),
            'feature', nullif(feature, 'unattributed'),
            'environment', nullif(environment, '')
        )) as varchar), '{{}}') as Tags
    from focus_rows
) as focus_rows
left join focus_accounts on focus_rows.provider = focus_accounts.provider
left join provider_names on focus_rows.provider = provider_names.provider
"""
    )
    .replace("{contracted_unit_price}", _unit_price("contracted_cost_usd"))
    .replace("{list_unit_price}", _unit_price("list_cost_usd"))
)

_BILLING_PERIOD = """
create temporary view BillingPeriod as
select
    timestamptz '{month} 00:00:00Z' as BillingPeriodStart,
    timestamptz '{month} 00:00:00Z' + interval 1 month as BillingPeriodEnd,
    timestamptz '{month} 00:00:00Z' as BillingPeriodCreated,
    max(strptime(newest_pull_id[:15], '%Y%m%dT%H%M%S') at time zone 'UTC') as BillingPeriodLastUpdated,
    '{status}' as BillingPeriodStatus,
    coalesce(provider_name, provider) as InvoiceIssuerName
from focus_accounts left join provider_names using (provider)
group by all
"""

_INVOICE_DETAIL = """
-- Only what a bill names: the invoices of lines that bear an id.
create temporary view InvoiceDetail as
select
    cast(sum(billed_cost_usd) as decimal(38, 12)) as BilledCost,
    coalesce(provider_account, charges.provider || ':unknown') as BillingAccountId,
    'USD' as BillingCurrency,
    timestamptz '{month} 00:00:00Z' as BillingPeriodStart,
    timestamptz '{month} 00:00:00Z' + interval 1 month as BillingPeriodEnd,
    category as ChargeCategory,
    min(strptime(pull_id[:15], '%Y%m%dT%H%M%S') at time zone 'UTC') as InvoiceDetailCreated,
    max(strptime(pull_id[:15], '%Y%m%dT%H%M%S') at time zone 'UTC') as InvoiceDetailLastUpdated,
    focus_invoice_id || '/' || category as InvoiceDetailId,
    focus_invoice_id as InvoiceId,
    'Issued' as InvoiceIssueStatus,
    coalesce(provider_name, charges.provider) as InvoiceIssuerName,
    'Unknown' as PaymentTerms,
    focus_invoice_id as ReferenceInvoiceId
from (
    select
        *,
        case charge_category when 'credit' then 'Credit' when 'tax' then 'Tax' else 'Usage' end as category
    from focus_charges where focus_invoice_id is not null
) as charges
left join provider_names on charges.provider = provider_names.provider
group by all
"""
