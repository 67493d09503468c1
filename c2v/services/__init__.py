"""What c2v does, without a face: the command line and scripts call it, and print what they like.

:class:`c2v.services.video_library.VideoLibrary` is the one object: a facade whose methods hand on
what they are given. Each ability is a module of its own, a function of a
:class:`c2v.services.workspace.Workspace` (the library, its encoders, whom to tell): ``filling``,
``removing``, ``searching``, ``query_stream`` (many questions), ``describing``, ``measuring``,
``finetuning``. Options that several faces give are a ``TypedDict`` beside the ability. Nothing here
prints or exits: failures are raised, results are frozen dataclasses with ``as_dict()``, which is
the JSON, and remarks go to the callbacks of :mod:`c2v.services.telling`.
"""
