"""Asks pyojeong itself, with one of its models."""

from answering import Face, answer, options

import pyojeong
from pyojeong.image.files import read_image


def main() -> None:
    """Answer the list of pictures."""
    parser = options()
    parser.add_argument("--model", default="default")
    given = parser.parse_args()
    analyzer = pyojeong.Analyzer(given.model, threads=1)

    def ask(picture: object) -> list[Face]:
        if given.how == "classify":
            return [(1.0, analyzer.classify([picture])[0].as_dict())]
        faces = analyzer.analyze(picture).faces
        return [
            (f.box.width * f.box.height, f.expression.as_dict())
            for f in faces
            if f.expression is not None
        ]

    version = f"{pyojeong.__version__}, {analyzer.classifier.card.id}"
    answer(given, version, ask, read_image)


if __name__ == "__main__":
    main()
