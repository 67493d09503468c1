"""What differs between the versions of PyAV that c2v runs with: 17, 18 and 19.

Rational numbers need nothing: what was ``None`` up to 18 is a number from 19 on that counts as
false, so `rate or 0` is right for both.
"""

from __future__ import annotations

from typing import Any


def open_options() -> dict[str, Any]:
    """Arguments of ``av.open`` under which a tag that is not UTF-8 does not end the opening.

    PyAV 19 does by itself what its forerunners do when asked, and has no such argument any more.
    """
    import av

    major = int(av.__version__.partition(".")[0])
    return {"metadata_errors": "surrogateescape"} if major < 19 else {}
