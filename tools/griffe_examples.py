"""Read ``Example:`` in docstrings as griffe's section ``Examples:``, which is shown as code."""

from typing import Any

import griffe


class Examples(griffe.Extension):
    """Rename the section."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change one docstring."""
        if obj.docstring is not None:
            obj.docstring.value = obj.docstring.value.replace("Example:\n", "Examples:\n")
