"""The monthly report for finance: one HTML file and one PDF, `make report MONTH=2026-10`.

Belongs here: which figures of the published marts a month's report holds, and its form. Does not belong here: figures
that no mart holds, and why spend moved (`explain`).

`marts` opens the month, `figures` asks, `document` words it, `charts` draws, `render` writes.
"""
