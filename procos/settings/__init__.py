"""Every setting of ProcOS, and where each of its values came from.

Order: command line > environment (`PROCOS_*`, then the names that Zeebe's own clients use) > `procos.toml` > default.
"""

from procos.settings.fields import ECOSYSTEM_NAMES, PREFIX, Settings
from procos.settings.reading import FILE_NAME, SECRET_PREFIX, LoadedSettings, load, secret_variables

__all__ = [
    "ECOSYSTEM_NAMES", "FILE_NAME", "PREFIX", "SECRET_PREFIX", "LoadedSettings", "Settings", "load", "secret_variables",
]  # fmt: skip
