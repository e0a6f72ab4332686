"""One module per report format, each with a ``render(report) -> str``."""
