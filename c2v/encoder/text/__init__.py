"""Texts to token ids: CLIP's byte pairs, WordPiece, and what a ``tokenizer.json`` holds."""
