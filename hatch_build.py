"""Put onnxruntime-web into wheels, so that ``pyojeong page`` works without npm."""

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PageHook(BuildHookInterface):  # type: ignore[type-arg]
    """Run tools/fetch_onnxruntime_web.py; without npm the wheel lacks it, and a warning says so."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Fetch before the files are collected; editable installs use ``make page``."""
        if version == "editable" or self.target_name != "wheel":
            return
        sys.path.insert(0, str(Path(self.root) / "tools"))
        from fetch_onnxruntime_web import fetch

        try:
            fetch()
        except RuntimeError as error:
            self.app.display_warning(f"without the page's onnxruntime-web: {error}")
        build_data["artifacts"].append("src/pyojeong/page/ort/*")
