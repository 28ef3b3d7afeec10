"""Write the JSON schema of a scorecard to docs/scorecard.schema.json: `python docs/write_schema.py`."""

from __future__ import annotations

import json
from pathlib import Path

from calokit.evaluation import Scorecard

PATH = Path(__file__).resolve().parent / "scorecard.schema.json"


def schema_text() -> str:
    """Return the schema (JSON Schema 2020-12) as text."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Scorecard.model_json_schema()}
    return json.dumps(schema, indent=1) + "\n"


if __name__ == "__main__":
    PATH.write_text(schema_text())
