"""Named components that are imported when they are first used; other packages can add theirs.

A package adds a component by an entry point, for example in its pyproject.toml::

    [project.entry-points."pyojeong.detectors"]
    mine = "my_package.detector:MyDetector"

Names of this package are not replaced.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from pyojeong.core.errors import ModelError

T = TypeVar("T")


def _package(point: EntryPoint) -> str:
    return point.value if point.dist is None else f"{point.dist.name} ({point.value})"


class Registry(Mapping[str, T], Generic[T]):
    """Name -> component; a mapping.

    Args:
        kind: What the components are, for errors.
        group: Entry-point group of other packages' components.
        components: Name -> ``"module:attribute"``, or the component itself.
    """

    def __init__(self, kind: str, group: str, components: Mapping[str, str | T]) -> None:
        self.kind = kind
        self._group = group
        self._components = dict(components)
        self._added: dict[str, EntryPoint] | None = None
        self._clashes: dict[str, tuple[EntryPoint, EntryPoint]] = {}

    @property
    def own(self) -> tuple[str, ...]:
        """Names of the components of this package, without looking at others."""
        return tuple(self._components)

    def _others(self) -> dict[str, EntryPoint]:
        if self._added is None:
            found: dict[str, EntryPoint] = {}
            for point in entry_points(group=self._group):
                if point.name in self._components or point.name == "auto":
                    warnings.warn(
                        f"{self.kind} {point.name!r} of {_package(point)} is not used: pyojeong "
                        "has that name itself; it must be renamed in its package",
                        stacklevel=2,
                    )
                    continue
                if point.name in found:
                    self._clashes[point.name] = (found[point.name], point)
                found.setdefault(point.name, point)
            self._added = found
        return self._added

    def __getitem__(self, name: str) -> T:
        if name not in self._components:
            point = self._others()[name]
            if name in self._clashes:
                one, other = (_package(p) for p in self._clashes[name])
                raise ModelError(
                    f"{self.kind} {name!r} is registered by {one} and by {other}: uninstall one "
                    "of them"
                )
            try:
                return point.load()  # type: ignore[no-any-return]
            except (Exception, SystemExit) as error:  # whatever another package's import raises
                raise ModelError(
                    f"{self.kind} {name!r} ({point.value}) could not be imported: {error}"
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


def build(registry: Registry[Callable[..., T]], name: str, options: Mapping[str, Any]) -> T:
    """Build a component.

    Raises:
        ModelError: When the one of another package does not take the options.
        TypeError: When the one of this package does not.
    """
    component = registry[name]
    try:
        return component(**options)
    except TypeError as error:
        if name in registry.own:
            raise
        raise ModelError(f"{registry.kind} {name!r} of another package: {error}") from error
