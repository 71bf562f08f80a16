{#- One vocabulary for providers: OpenTelemetry's gen_ai.provider.name. Left: what older conventions and gateways write. -#}
{%- macro provider_name(column) -%}
  case lower({{ column }})
    when 'azure' then 'azure.ai.openai'
    when 'az.ai.openai' then 'azure.ai.openai'
    when 'az.ai.inference' then 'azure.ai.inference'
    when 'azure_ai' then 'azure.ai.inference'
    when 'bedrock' then 'aws.bedrock'
    when 'bedrock_converse' then 'aws.bedrock'
    when 'vertex_ai' then 'gcp.vertex_ai'
    when 'gemini' then 'gcp.gemini'
    when 'mistral' then 'mistral_ai'
    when 'xai' then 'x_ai'
    when 'moonshot' then 'moonshot_ai'
    else lower({{ column }})
  end
{%- endmacro -%}

{#- The tier that was served, as the price book names it. A tier that nobody stated is the standard one. -#}
{%- macro service_tier_name(column) -%}
  case lower({{ column }})
    when 'default' then 'standard'
    when 'auto' then 'standard'
    when 'on_demand' then 'standard'
    when 'standard_only' then 'standard'
    when 'flex_discount' then 'flex'
    when 'priority_on_demand' then 'priority'
    when '' then 'standard'
    else coalesce(lower({{ column }}), 'standard')
  end
{%- endmacro -%}

{#- The tier of a request that one observer saw; NULL when it only says what was asked for, so that another may know. -#}
{%- macro served_tier_name(column) -%}
  case when lower({{ column }}) not in ('', 'auto') then {{ service_tier_name(column) }} end
{%- endmacro -%}
