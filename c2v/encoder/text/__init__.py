"""Texts to token ids: CLIP's byte pairs and WordPiece."""
