"""The commands: parsing and printing only, one file per group; the work is done by the rooms below."""
