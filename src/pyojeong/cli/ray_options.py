"""The options of ``--engine ray``, checked before long work is done."""

from pyojeong.core.errors import InputError
from pyojeong.distributed.ray_engine import STORE_MB, RayOptions, require_ray


def ray_options(
    engine: str, workers: int, address: str | None, object_store_mb: int | None
) -> RayOptions | None:
    """Return how Ray is used; None for the local engine.

    Raises:
        InputError: When options of Ray were given without it.
        MissingExtra: When Ray, or the version that is needed, is not installed.
    """
    if engine != "ray":
        if address is not None or object_store_mb is not None:
            raise InputError("--address and --object-store-mb: need --engine ray")
        return None
    options = RayOptions(
        workers=workers, address=address, object_store_mb=object_store_mb or STORE_MB
    )
    require_ray(options)
    return options
