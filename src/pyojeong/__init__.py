"""Pyojeong (표정): reads the appearance of facial expressions."""
