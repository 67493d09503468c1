"""Measurements: printed, never asserted.

``python -m tests.benchmarks`` runs those of its table; the others are commands of their own.
"""
