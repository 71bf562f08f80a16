"""The unit tests that stand beside the models, in the models' own language."""

from harness import Company

COMPUTE_COST = {
    "int_llm_requests__usage_normalised",
    "int_llm_requests__priced",
    "int_model_prices__pivoted",
    "int_charges__keyed",
    "int_billing_claims__matched",
    "int_charges__allocated",
    "int_billed_remainders__placed",
    "recon_estimated_vs_billed_by_sku_day",
    "recon_estimated_vs_billed_by_provider_day",
    "fct_llm_requests",
    "fct_operations",
    "fct_outcomes",
}


def test_every_model_that_computes_cost_has_unit_tests_and_all_pass(empty_company: Company) -> None:
    results = empty_company.dbt("test", "--select", "test_type:unit")
    tested = {result.node.tested_node_unique_id.split(".")[-1] for result in results}
    assert tested >= COMPUTE_COST
