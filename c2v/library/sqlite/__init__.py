"""A library in a folder: SQLite as the truth, a matrix and an HNSW graph as caches."""
