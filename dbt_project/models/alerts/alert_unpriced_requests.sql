-- One row per day, provider and model with requests that no price is known for. Unknown is not free. The names of the
-- book that look most alike are for the human who writes the alias; nothing is ever priced by likeness.
with unpriced as (
  select
    usage_date,
    provider,
    model,
    unpriced_attempts_count
  from {{ ref('unit_economics_by_model_day') }}
  where unpriced_attempts_count > 0
),

-- Likeness is computed once per unknown name, and not for a known one of which a class or a tier has no price.
unknown_names as (
  select distinct
    unpriced.provider,
    unpriced.model
  from unpriced
  left join {{ ref('stg_pricing__model_names') }} as names
    on unpriced.provider = names.provider and unpriced.model = names.name
  where names.name is null
),

candidates as (
  select
    unknown_names.provider,
    unknown_names.model,
    names.name,
    row_number() over (
      partition by unknown_names.provider, unknown_names.model
      order by {{ name_similarity('unknown_names.model', 'names.name') }} desc, names.name
    ) as candidate_rank
  from unknown_names
  inner join {{ ref('stg_pricing__model_names') }} as names on unknown_names.provider = names.provider
  where {{ name_similarity('unknown_names.model', 'names.name') }} >= 0.8
),

nearest as (
  select
    provider,
    model,
    concat_ws(
      ', ',
      max(case when candidate_rank = 1 then name end),
      max(case when candidate_rank = 2 then name end),
      max(case when candidate_rank = 3 then name end)
    ) as nearest_names
  from candidates
  where candidate_rank <= 3
  group by provider, model
),

measured as (
  select
    unpriced.usage_date,
    'model' as scope_kind,
    unpriced.provider || '/' || unpriced.model as scope_id,
    '' as plan_id,
    unpriced.unpriced_attempts_count as observed,
    null as baseline,
    null as floor_value,
    null as history_days_count,
    case
      when unpriced.model is not null and unknown_names.model is null
        then 'the name is known: no price for a tier, class, place or day of its use'
      else 'nearest names: ' || nearest.nearest_names
    end as detail
  from unpriced
  left join unknown_names on unpriced.provider = unknown_names.provider and unpriced.model = unknown_names.model
  left join nearest on unpriced.provider = nearest.provider and unpriced.model = nearest.model
)

{{ breaches('measured', 'unpriced_requests') }}
