"""Where encoders come from: the hub, and checkpoint files; and back to a checkpoint.

Each source gives a :class:`c2v.encoder.clip_bundle.ClipSource`, which the catalogue names and
writes. Nothing else leads here.
"""
