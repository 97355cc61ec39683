"""``python -m holdfast.report.schema`` publishes the schema of ``report.json`` beside this file."""

from pathlib import Path

from holdfast.report.schema import PUBLISHED, published_text

if __name__ == "__main__":
    Path(PUBLISHED).write_text(published_text(), encoding="utf-8")
