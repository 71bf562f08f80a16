"""A mistake in a source's document is answered with the file, the line, the field and what was expected."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from orchestration.components import SourceDocumentError
from orchestration.components.folder import active_sources, landed_asset_keys
from orchestration.settings import PROJECT_ROOT, Settings, SettingsError

GOOD = """\
type: orchestration.components.SourceComponent
attributes:
  source_name: app_requests
  kind: llm_request_log
  config:
    path: "{{ folder }}/logs"
"""


def read(settings: Settings):
    return active_sources(settings, dg.ComponentTree.for_test().load_context)


def refused(settings: Settings, sources: Path, text: str) -> str:
    (sources / "own.yaml").write_text(text)
    with pytest.raises(SourceDocumentError) as caught:
        read(settings)
    return str(caught.value)


def test_a_folder_of_documents_is_all_it_takes(settings: Settings, sources: Path) -> None:
    second = GOOD.replace("app_requests", "edge_requests")
    (sources / "deeper").mkdir()
    (sources / "deeper" / "more.yml").write_text(f"{GOOD}---\n{second}")
    found = read(settings)
    assert [source.source_name for source in found] == ["app_requests", "edge_requests"]
    assert found[0].config == {"path": f"{sources}/deeper/logs"}
    keys = landed_asset_keys(settings, dg.ComponentTree.for_test().load_context)
    assert [key.path for key in keys["llm_requests"]] == [
        ["landing", "app_requests", "llm_requests"],
        ["landing", "edge_requests", "llm_requests"],
    ]


@pytest.mark.parametrize(
    ("change", "place", "expected"),
    [
        (("kind: llm_request_log", "kind: llm_log"), (4, "attributes.kind"), "known: anthropic_organization"),
        (("path:", "paht:"), (6, "attributes.config.paht"), "Extra inputs are not permitted"),
        (("path:", "paht:"), (5, "attributes.config.path"), "Field required"),
        (('path: "{{ folder }}/logs"', "path: 7"), (6, "attributes.config.path"), "valid string, got 7"),
        (("app_requests", "App Requests"), (3, "attributes.source_name"), "should match pattern"),
        (("  kind: llm_request_log\n", ""), (2, "attributes.kind"), "Field required"),
        (("  config:", "  tables: [nope]\n  config:"), (5, "attributes.tables.0"), "it has llm_requests"),
        (("  config:", "  colour: red\n  config:"), (5, "attributes.colour"), "not permitted"),
    ],
)
def test_a_mistake_is_answered_with_file_line_field_and_expectation(
    settings: Settings, sources: Path, change: tuple[str, str], place: tuple[int, str], expected: str
) -> None:
    line, field = place
    message = refused(settings, sources, GOOD.replace(*change))
    (said,) = [part for part in message.splitlines() if f" {field}: " in part]
    assert said.startswith(f"{sources / 'own.yaml'}:{line}: ")
    assert expected in said


def test_two_sources_of_one_name_are_refused_because_their_data_would_mix(settings: Settings, sources: Path) -> None:
    assert "two sources are named 'app_requests'" in refused(settings, sources, f"{GOOD}---\n{GOOD}")


def test_a_document_of_another_type_is_refused(settings: Settings, sources: Path) -> None:
    message = refused(settings, sources, "type: dagster.DefsFolderComponent\n")
    assert message.startswith(f"{sources / 'own.yaml'}:1: expected the two fields")


def test_an_empty_folder_says_what_to_write(settings: Settings) -> None:
    with pytest.raises(SourceDocumentError, match="write one for each source"):
        read(settings)


def test_a_folder_that_is_none_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUEUP_SOURCES", str(home / "nowhere"))
    with pytest.raises(SettingsError, match="TRUEUP_SOURCES must be a folder"):
        Settings.from_env()


def test_a_company_table_that_is_not_named_is_no_asset(settings: Settings, sources: Path) -> None:
    (sources / "own.yaml").write_text(
        "type: orchestration.components.SourceComponent\n"
        "attributes:\n  source_name: company\n  kind: company_tables\n"
        "  config:\n    tables: {customers: customers.csv}\n"
    )
    (company,) = read(settings)
    assert [table.name for table in company.table_specs] == ["customers"]
    assert company.build_asset(settings).partitions_def is None


def test_the_sample_company_steps_aside_for_own_sources(settings: Settings, sources: Path) -> None:
    (sources / "own.yaml").write_text(GOOD)
    tree = dg.ComponentTree.for_project(PROJECT_ROOT)
    landed = {
        key.path[1]
        for key in tree.build_defs_at_path(tree.defs_module_path / "sources").resolve_asset_graph().get_all_asset_keys()
    }
    assert landed == set()
