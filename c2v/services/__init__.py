"""What c2v does, without a face: the command line and scripts call it, and print what they like.

:class:`c2v.services.video_library.VideoLibrary` is the one object; the other modules are its parts:
which encoder (``encoders``), filling a library (``filling``), taking out of it (``removing``), a
clip that is searched for (``clips``), many questions (``streams``), measuring (``measuring``) and
training (``finetuning``). Nothing here prints or exits: failures are raised, results are frozen
dataclasses with ``as_dict()``, and remarks go to the callbacks of :class:`c2v.services.telling`.
"""
