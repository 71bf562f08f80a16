"""The YAML face of a source: thin Dagster components over the connectors.

Belongs here: reading and checking YAML documents, and turning one into assets. Does not belong here: anything
a source's protocol or contract says (see `orchestration/connectors`).

Pointing trueup at your own systems, in one step
------------------------------------------------
Put YAML documents like this one into a folder of your own, any number of files and documents, and set
`TRUEUP_SOURCES` to that folder::

    type: orchestration.components.SourceComponent
    attributes:
      source_name: app_requests        # your name for it; the landed folder bears it
      kind: llm_request_log            # `dg list components` and orchestration/connectors list the kinds
      config:
        path: /var/log/llm/*.jsonl.gz
    ---
    type: orchestration.components.SourceComponent
    attributes:
      source_name: openai
      kind: openai_organization
      config:
        api_key_env: OPENAI_ADMIN_KEY  # the name of an environment variable, read when the pull runs

`TRUEUP_SOURCES` names the only folder whose documents count. Without it, those under `orchestration/defs` do:
the sample company, and whatever `dg scaffold defs orchestration.components.SourceComponent sources/my_source`
has written beside it. In a document `{{ home }}` stands for `TRUEUP_HOME` and `{{ folder }}` for the
document's folder.
"""

from orchestration.components.source import SourceComponent, SourceDocumentError

__all__ = ["SourceComponent", "SourceDocumentError"]
