{#- Reading providers' FOCUS exports. -#}

{#- The provider as everybody else calls it. A cloud sells models under several services. -#}
{%- macro focus_provider(seller, service) -%}
  case
    when lower({{ seller }}) like '%openai%' then 'openai'
    when lower({{ seller }}) like '%anthropic%' then 'anthropic'
    when lower({{ seller }}) in ('aws', 'aws marketplace') or lower({{ seller }}) like 'amazon%' then 'aws.bedrock'
    when lower({{ seller }}) like '%microsoft%' or lower({{ seller }}) like '%azure%'
      then case when lower({{ service }}) like '%openai%' then 'azure.ai.openai' else 'azure.ai.inference' end
    when lower({{ seller }}) like '%google%'
      then case when lower({{ service }}) like '%gemini api%' then 'gcp.gemini' else 'gcp.vertex_ai' end
    else {{ provider_name("replace(" ~ seller ~ ", ' ', '_')") }}
  end
{%- endmacro -%}

{#- How many tokens one of a unit is; NULL for units of anything else. -#}
{%- macro focus_tokens_per_unit(unit) -%}
  case lower({{ unit }})
    when 'tokens' then 1
    when 'token' then 1
    when '1000 tokens' then 1000
    when '1k tokens' then 1000
    when '1000000 tokens' then 1000000
    when '1m tokens' then 1000000
  end
{%- endmacro -%}
