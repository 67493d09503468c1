"""From a question to moments in videos: embed the question, rank segments, group them by video."""
