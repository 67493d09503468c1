"""Where encoders come from: the hub, open_clip, and checkpoint files; and back to a checkpoint.

Only the catalogue (and training, for the towers it learns) leads here.
"""
