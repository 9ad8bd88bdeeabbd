import json
from pathlib import Path

VECTORS = json.loads(
    (Path(__file__).parent.parent / "data" / "renewal_proration.json").read_text(encoding="utf-8")
)
