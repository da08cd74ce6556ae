"""The proxy's package lies in its folder in deploy/, where its image finds it by its working directory."""

import importlib.util
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[4] / "deploy" / "faultproxy"


def _load():
    spec = importlib.util.spec_from_file_location(
        "faultproxy", FOLDER / "__init__.py", submodule_search_locations=[str(FOLDER)]
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules["faultproxy"] = package
    spec.loader.exec_module(package)


_load()
