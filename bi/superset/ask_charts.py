"""Import the bundle into Superset and ask its API for the data of every chart; runs in Superset's own environment.

Usage: ask_charts.py <bundle.zip> <answer.json>. The answer holds rows by name of the chart's file.
"""

import json
import os
import sys
import zipfile
from pathlib import Path

import yaml
from superset.app import create_app

USER = "checker"


def main(bundle: Path, answer: Path) -> None:
    """Import, ask, write the answer."""
    app = create_app()
    password = os.environ["TRUEUP_SUPERSET_PASSWORD"]
    with app.app_context():
        security = app.appbuilder.sm
        security.add_user(USER, "Check", "Er", "checker@example.com", security.find_role("Admin"), password)
    client = app.test_client()
    token = said(client.post("/api/v1/security/login", json={"username": USER, "password": password, "provider": "db"}))
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    upload = {"formData": (bundle.open("rb"), bundle.name), "overwrite": "true"}
    said(client.post("/api/v1/dashboard/import/", data=upload, headers=headers))
    with zipfile.ZipFile(bundle) as files:
        charts = [name for name in files.namelist() if "/charts/" in name]
        names = {yaml.safe_load(files.read(name))["slice_name"]: Path(name).stem for name in charts}
    listed = said(client.get("/api/v1/dashboard/llm-unit-economics/charts", headers=headers))["result"]
    rows = {}
    for chart in listed:
        data = said(client.get(f"/api/v1/chart/{chart['id']}/data/", headers=headers))["result"]
        rows[names[chart["slice_name"]]] = data[0]["data"]
    answer.write_text(json.dumps(rows))


def said(response) -> dict:
    """Return what the API answered; end with its words when it refused."""
    if response.status_code != 200:
        sys.exit(f"{response.request.path}: {response.status_code}: {response.get_data(as_text=True)[:2000]}")
    return response.get_json()


main(Path(sys.argv[1]), Path(sys.argv[2]))
