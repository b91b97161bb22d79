"""Asks pyojeong itself, with one of its models."""

from answering import Face, answer, options

import pyojeong
from pyojeong.image.files import read_image


def main() -> None:
    """Answer the list of pictures."""
    parser = options()
    parser.add_argument("--model", default="default")
    parser.add_argument("--prior", help="base rates, instead of the model's default")
    given = parser.parse_args()
    # Crops are FER2013's and scored against its own labels: that is what this output answers.
    output = "fer2013" if given.how == "classify" else "auto"
    analyzer = pyojeong.Analyzer(given.model, threads=1, prior=given.prior, output=output)

    def ask(picture: object) -> list[Face]:
        if given.how == "classify":
            return [(1.0, analyzer.classify([picture])[0].by_label())]
        faces = analyzer.analyze(picture).faces
        return [
            (f.box.width * f.box.height, f.expression.by_label())
            for f in faces
            if f.expression is not None
        ]

    version = f"{pyojeong.__version__}, {analyzer.classifier.card.id}"
    answer(given, version, ask, read_image)


if __name__ == "__main__":
    main()
