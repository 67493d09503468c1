"""Measurements: printed, never asserted. Each module is a command of its own."""
