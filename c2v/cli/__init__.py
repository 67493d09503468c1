"""The commands, one file per group: parsing and printing; the rooms below do the work."""
