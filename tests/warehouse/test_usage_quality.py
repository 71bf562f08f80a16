"""What is odd about the counts of a source is laid to that source, by stable code, and never priced."""

from __future__ import annotations

from datetime import date

from harness import Company, moment, request

DAY = date(2026, 10, 1)


def test_warnings_are_counted_at_the_source_whose_counts_are_taken(company: Company) -> None:
    """C7 C15 X3 F12: the application saw one call too, without counts; the gateway's are taken, and are odd."""
    odd = {"input_tokens": 100, "cache_read_tokens": 900}
    company.land(
        "llm_requests",
        [
            request(moment(DAY), response_id="shared", input_tokens=None, output_tokens=None),
            request(moment(DAY)),
            request(moment(DAY), input_tokens=None, output_tokens=None),
            request(moment(DAY), usage_api="openai.chat",
                usage='{"prompt_tokens": 442, "completion_tokens": 10, "total_tokens": 8709}'),
            request(moment(DAY), model="gpt-unheard-of"),
            request(moment(DAY), service_tier="flex"),
        ],
        source="app",
    )  # fmt: skip
    company.land(
        "litellm_requests",
        [{"started_at": moment(DAY), "request_id": "r", "response_id": "shared", "provider": "openai",
            "model": "gpt-test", "output_tokens": 10, "outcome": "success"} | odd],
        source="a_gateway",
    )  # fmt: skip
    company.build(DAY, None, "int_llm_requests__attributed", "usage_quality_by_source_day")
    app, gateway = company.query("select * from marts.usage_quality_by_source_day order by usage_observer")
    assert (app["source_name"], app["usage_observer"]) == ("app", "app_log")
    assert (gateway["source_name"], gateway["usage_observer"]) == ("a_gateway", "gateway")
    zero = {name: 0 for name in app if name.endswith(("_count", "_tokens"))}
    assert {name: gateway[name] for name in zero} == zero | {
        "attempts_count": 1,
        "counted_attempts_count": 1,
        "usage_warnings_count": 1,
        "cache_exceeds_input_count": 1,
    }
    assert {name: app[name] for name in zero} == zero | {
        "attempts_count": 5,
        "counted_attempts_count": 4,
        "usage_warnings_count": 2,
        "usage_missing_count": 1,
        "total_differs_from_classes_count": 1,
        "unexplained_tokens": 8709 - 442 - 10,
        "tier_inherited_count": 1,
        "unpriced_model_count": 1,
        "usage_unknown_count": 1,
    }
