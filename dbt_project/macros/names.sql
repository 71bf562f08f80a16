{#- One vocabulary for providers: OpenTelemetry's gen_ai.provider.name. Left: what older conventions and gateways write. -#}
{%- macro provider_name(column) -%}
  case lower({{ column }})
    when 'azure' then 'azure.ai.openai'
    when 'azure_openai' then 'azure.ai.openai'
    when 'az.ai.openai' then 'azure.ai.openai'
    when 'az.ai.inference' then 'azure.ai.inference'
    when 'azure_ai' then 'azure.ai.inference'
    when 'bedrock' then 'aws.bedrock'
    when 'bedrock_converse' then 'aws.bedrock'
    when 'amazon_bedrock' then 'aws.bedrock'
    when 'vertex_ai' then 'gcp.vertex_ai'
    when 'vertexai' then 'gcp.vertex_ai'
    when 'google_vertexai' then 'gcp.vertex_ai'
    when 'gemini' then 'gcp.gemini'
    when 'google_genai' then 'gcp.gemini'
    {#- OpenTelemetry: "any Google generative AI endpoint", for callers that do not know which. -#}
    when 'gcp.gen_ai' then 'gcp.gemini'
    when 'mistral' then 'mistral_ai'
    when 'mistralai' then 'mistral_ai'
    when 'xai' then 'x_ai'
    when 'x-ai' then 'x_ai'
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

{#-
A model's own name out of what was logged, by the documented structure of the name alone; `normalise_model_name` in
orchestration/pricebook/book.py is the same rule. The ARN of a Bedrock foundation model or system inference profile is the
id behind its slash, OpenAI's ft:<base>:<organisation>:<suffix>:<id> is ft:<base>.
-#}
{%- macro model_lookup_name(column) -%}
  {%- set name = 'lower(trim(' ~ column ~ '))' -%}
  case
        when {{ name }} like 'ft:%:%' then 'ft:' || {{ text_part(name, ':', 2) }}
        when {{ name }} like 'arn:aws%:bedrock:%:foundation-model/%' then {{ text_after(name, ':foundation-model/') }}
        when {{ name }} like 'arn:aws%:bedrock:%:inference-profile/%' then {{ text_after(name, ':inference-profile/') }}
        else {{ name }}
      end
{%- endmacro -%}

{#- Where a request was computed: the geography that the provider states, else the region that was called. -#}
{%- macro serving_place(requests) -%}
  lower(coalesce({{ requests }}.inference_geo, {{ requests }}.region, ''))
{%- endmacro -%}

{#- Names as the right side of `in`. -#}
{%- macro name_list(names) -%}
  ('{{ names | join("', '") }}')
{%- endmacro -%}
