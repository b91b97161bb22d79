"""``python -m pyojeong``."""

from pyojeong.cli.app import main

main()
