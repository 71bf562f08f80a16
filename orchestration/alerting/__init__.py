"""From a failed check to a message that tells a person what happened and what to do.

Belongs here: messages, their delivery, their life. Does not belong here: the rules (they are dbt models) and
their evaluation (they are asset checks).
"""
