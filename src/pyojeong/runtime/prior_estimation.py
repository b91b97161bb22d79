"""Base rates of a folder or clip from a classifier's own answers."""

from collections.abc import Iterable

import numpy as np

from pyojeong.core.calibration import estimate_prior
from pyojeong.core.errors import PriorInvalid
from pyojeong.core.face import FrameResult
from pyojeong.runtime.classifier import Classifier


def prior_of(results: Iterable[FrameResult], classifier: Classifier) -> dict[str, float]:
    """Return label -> share; see ``Analyzer.estimate_prior``.

    Raises:
        PriorInvalid: When there are fewer than 50 faces, results are of another model or assume
            other base rates than the classifier's, or the model does not state any.
    """
    head, model = classifier.head, classifier.card.id
    rows = []
    for result in results:
        if result.model_ids and model not in result.model_ids:
            raise PriorInvalid(
                f"{result.source}: was read with {', '.join(result.model_ids)}, not with "
                f"{model}: read the images with this analyzer"
            )
        for face in result.faces:
            if face.expression is None:
                continue
            if (face.expression.prior, face.expression.label_set) != (
                head.prior,
                head.label_set,
            ):
                raise PriorInvalid(
                    f"{result.source}: answers assume the base rates "
                    f"{face.expression.prior or 'of an unknown prior'!r} of "
                    f"{face.expression.label_set.id}, this analyzer's assume {head.prior!r} "
                    f"of {head.label_set.id}: read the images with this analyzer"
                )
            rows.append(face.expression.scores)
    if head.shares is None:
        raise PriorInvalid(
            f"model {classifier.card.id!r} does not say which base rates it was "
            "calibrated to: export it again with this version of pyojeong"
        )
    scores = np.stack(rows) if rows else np.zeros((0, len(head.label_set)))
    shares = estimate_prior(scores, head.shares)
    return dict(zip(head.label_set.names, map(float, shares), strict=True))
