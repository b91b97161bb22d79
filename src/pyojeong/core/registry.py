"""Named components that are imported when they are first used; other packages can add theirs.

A package adds a component by an entry point, for example in its pyproject.toml::

    [project.entry-points."pyojeong.detectors"]
    mine = "my_package.detector:MyDetector"
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from pyojeong.core.errors import ModelError

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """Name -> component; a mapping.

    Args:
        kind: What the components are, for errors.
        group: Entry-point group of other packages' components.
        components: Name -> ``"module:attribute"``, or the component itself.
    """

    def __init__(self, kind: str, group: str, components: Mapping[str, str | T]) -> None:
        self._kind = kind
        self._group = group
        self._components = dict(components)
        self._added: dict[str, EntryPoint] | None = None

    @property
    def own(self) -> tuple[str, ...]:
        """Names of the components of this package, without looking at others."""
        return tuple(self._components)

    def _others(self) -> dict[str, EntryPoint]:
        if self._added is None:
            found: dict[str, EntryPoint] = {}
            for point in entry_points(group=self._group):
                if point.name in self._components or point.name in found:
                    raise ModelError(
                        f"{self._kind} {point.name!r} of {point.value} has the name of another "
                        f"{self._kind}: it must be renamed in its package"
                    )
                found[point.name] = point
            self._added = found
        return self._added

    def __getitem__(self, name: str) -> T:
        if name not in self._components:
            point = self._others()[name]
            try:
                return point.load()  # type: ignore[no-any-return]
            except Exception as error:  # whatever another package's import raises
                raise ModelError(
                    f"{self._kind} {name!r} ({point.value}) could not be imported: {error}"
                ) from error
        component = self._components[name]
        if isinstance(component, str):
            module, _, attribute = component.partition(":")
            loaded: Any = getattr(import_module(module), attribute)
            self._components[name] = loaded
            return loaded  # type: ignore[no-any-return]
        return component

    def __iter__(self) -> Iterator[str]:
        yield from self._components
        yield from self._others()

    def __len__(self) -> int:
        return len(self._components) + len(self._others())

    def __contains__(self, name: object) -> bool:
        return name in self._components or name in self._others()
