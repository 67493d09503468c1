"""From folders to a library: what changed, decode, encode, commit.

The pipeline introduces the rooms that do not know each other: it takes frames from
:mod:`c2v.media`, features and vectors from :mod:`c2v.encoder`, and hands both to
:mod:`c2v.library`.
"""
