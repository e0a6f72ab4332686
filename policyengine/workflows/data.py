"""Where the shipped policies and samples are: inside the installed package, or at the top of a checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import policyengine
from policyengine.errors import ConfigError

SHIPPED: Final = {"library:": "policies", "samples:": "samples"}
"""Words that stand for what the package ships, usable wherever a policy folder is."""


def data_root() -> Path:
    """The folder that holds ``policies/`` and ``samples/``."""
    package = Path(policyengine.__file__).parent
    for root in (package / "_data", package.parent):
        if (root / "policies").is_dir() and (root / "samples").is_dir():
            return root
    raise ConfigError("the shipped policies and samples are missing", help="install policyengine-fleet again")
