"""Words that somebody with a folder of videos need not know, each explained where help uses it.

Help is searched for them, so whoever writes an option need not think of it; what they mean stands
at the end, under "Words".
"""

import re

WORDS: dict[str, str] = {
    "PATH-GLOB": "a file, a folder with all below, or a pattern as '*.mp4' or 'trips/**'",
    "library": "where c2v keeps what it knows of your videos",
    "model": "what turns pictures and sentences into vectors, which can be compared",
    "segment": "a piece of a video that is found as one",
    "score": "how well a result fits, from -1 to 1",
    "vector": "a row of numbers that stands for a segment or a sentence",
    "graph": "a net of neighbouring vectors, which spares looking at all of them",
    "hnsw": "a kind of graph",
    "frame": "a single picture of a video",
    "keyframe": "a picture that stands whole in the file, one every few seconds",
    "pyav": "FFmpeg, which reads nearly every file; decord is another reader",
    "cuda": "an NVIDIA graphics card; cuda:1 is the second",
    "mps": "the graphics of a Mac",
    "fp32": "numbers of full length; bf16, fp16 and int8 are shorter, faster and coarser",
    "edl": "a list of cuts, as fcpxml and otio are: video editors open them",
    "m3u": "a list for players",
    "jsonl": "JSON, a result a line",
    "open_clip": "a public collection of models",
    "ARCHITECTURE/TAG": "how a model is built, and on what it was trained",
    "CLIP": "a kind of model that knows single pictures",
    "CLIP2Video": "a kind of model that knows videos; so is CLIP4Clip",
    "CLIP4Clip": "a kind of model that knows videos",
    "checkpoint": "a file with the weights of a trained model",
    "weights": "the numbers that a model has learnt",
    "tower": "the part of a model that looks at single pictures, or the one that reads words",
    "head": "the part of a model that makes one vector of the pictures of a segment",
    "meanP": "a head without weights: the mean of the pictures",
    "seqTransf": "a head that reads the pictures in their order; so is seqLSTM",
    "wti": "a head that compares each word with each picture; experimental",
    "tightTransf": "a slow head, which looks at pictures and words together",
    "layer": "one step of a model; a block is several",
    "block": "some layers of a tower",
    "token": "a word, or a part of one, as a model reads it",
    "caption": "a sentence that says what a video shows",
    "pair": "a video and a caption of it",
    "benchmark": "public videos and captions on which models are compared",
    "R@1": "how many of 100 captions have their video first; R@10: among the first ten",
    "rank": "the place of the right one among all; 1 is the best",
    "epoch": "one pass over all videos that are learnt from",
    "batch": "what is learnt from in one step",
    "gradient": "which way the weights have to change",
    "learning-rate": "how far the weights change in one step",
    "dual-softmax": "scores weighed by how sure each video is of each caption",
    "qb-norm": "scores weighed by how near a video is to captions of others",
    "hub": "a video that is near many captions without being right",
    "bfloat16": "numbers of half the length",
    "extra": 'an optional part of c2v: pip install "c2v[NAME]"',
    "config.toml": "the file of your settings; c2v config show says where it is",
}
"""By their singular, as they are looked for."""


def words_in(text: str) -> list[tuple[str, str]]:
    """The words of :data:`WORDS` in ``text``, and in their own meanings, in their order."""
    found: set[str] = set()
    while new := {word for word in WORDS.keys() - found if _stands_in(word, text)}:
        found |= new
        text = "\n".join(WORDS[word] for word in new)
    return [(word, meaning) for word, meaning in WORDS.items() if word in found]


def _stands_in(word: str, text: str) -> bool:
    """Whether a text has the word, or its plural; a word in small letters may begin a sentence."""
    pattern = rf"(?<![\w.-]){re.escape(word)}(e?s)?(?![\w-])"
    return re.search(pattern, text, re.IGNORECASE if word.islower() else 0) is not None
