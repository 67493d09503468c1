"""Weights of open_clip models: from the Hugging Face hub, a mirror of it or a folder.

The variables of the hub's own client count: ``HF_ENDPOINT``, ``HF_HUB_OFFLINE``, ``HF_TOKEN``, and
its cache is read (``HF_HOME``, ``HF_HUB_CACHE``); the client itself is not needed. A name that does
not resolve is given up after four seconds. Asking is a connection too: whoever calls has announced
it (:mod:`c2v.encoder.sources.announcement`).
"""

from __future__ import annotations

import http.client
import json
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from numpy.typing import NDArray

from c2v.encoder.architecture import Preprocess, model_config
from c2v.encoder.clip_bundle import ClipSource, check_can_run
from c2v.encoder.default_model import DEFAULT_REPOSITORY
from c2v.encoder.known_architectures import known_architecture, known_preprocessing
from c2v.encoder.licences import licence_of
from c2v.encoder.pretrained import find_pretrained, pretrained
from c2v.encoder.registry import DEFAULT_SOURCE
from c2v.encoder.sources.checksums import beside, refuse_pointer
from c2v.encoder.sources.origins import (
    Origin,
    Remark,
    endpoint,
    hub_cache,
    open_origin,
    snapshots,
)
from c2v.encoder.sources.text_parts import with_text_parts
from c2v.encoder.sources.transfer import Progress
from c2v.encoder.tensors import has_numpy_types, read_tensors
from c2v.errors import ModelError, UnreachableError
from c2v.optional import has, require

if TYPE_CHECKING:
    import torch

PROBE_SECONDS: Final = 4.0
OPEN_CLIP_CONFIG: Final = "open_clip_config.json"
_SAFE_NAME: Final = "open_clip_model.safetensors"
_PICKLE_NAME: Final = "open_clip_pytorch_model.bin"


@dataclass(frozen=True, slots=True)
class HubModel:
    """Where the weights of an open_clip model lie, and what they are.

    ``model`` (open_clip's config) and ``preprocess`` are None where only the repository says so.
    """

    architecture: str
    tag: str
    repository: str
    files: tuple[str, ...]  # in order of preference
    model: Mapping[str, Any] | None
    preprocess: Preprocess | None

    @property
    def source(self) -> str:
        """``ARCHITECTURE/TAG``."""
        return f"{self.architecture}/{self.tag}"


@dataclass(frozen=True, slots=True)
class Fetching:
    """A wish for a model: its name, where from, and who is told of it.

    ``remark`` is told in one line of a file whose checksum nobody states.
    """

    name: str
    origin: Origin
    remark: Remark
    on_progress: Progress | None = None
    reads_cache: bool = True
    """That of the hub's client: not where the user named another place."""

    def file(self, repository: str, file: str, *, shows: bool = False) -> Path | None:
        """A file of a repository, of the cache of the hub's client where it is; None if there is
        none. Its progress is told if it ``shows``.

        Raises:
            ModelError: it did not come, or is not what is stated.
        """
        if (cached := self.cached(repository, file)) is not None:
            return cached
        on_progress = self.on_progress if shows else None
        return self.origin.obtain(repository, file, remark=self.remark, on_progress=on_progress)

    def cached(self, repository: str, file: str) -> Path | None:
        """A file that the hub's client has fetched before.

        Raises:
            ModelError: it is not what the cache says it is.
        """
        return _cached(repository, file) if self.reads_cache else None


def hub_source(source: str, fetching: Fetching) -> tuple[ClipSource, Path]:
    """The weights ``ARCHITECTURE/TAG``, ready to become a bundle, and the file they were read from.

    Raises:
        ModelError: as :func:`hub_model` and :func:`download`, or c2v cannot run it.
        MissingPartError: it takes PyTorch to run it, which is not installed.
    """
    architecture, _, tag = source.partition("/")
    hub = described(hub_model(architecture, tag), fetching)
    assert hub.model is not None
    assert hub.preprocess is not None
    model, tokenizer = with_text_parts(
        hub.model, fetching.file, repository=hub.repository, wish=f"the model {fetching.name}"
    )
    check_can_run(model, hub.preprocess, name=fetching.name)
    file = download(hub, fetching)
    state = _read_weights(file)
    clip = ClipSource(
        state=state,
        model=model,
        tokenizer=tokenizer,
        preprocess=hub.preprocess,
        order=tuple(state),
        source=f"open_clip {source} (https://huggingface.co/{hub.repository})",
        licence=str(licence_of(hub.repository)),
    )
    return clip, file


def _read_weights(file: Path) -> Mapping[str, torch.Tensor | NDArray[Any]]:
    """The weights of a file from the hub: without PyTorch where NumPy knows all of its types."""
    if file.suffix == ".safetensors" and has_numpy_types(file):
        return read_tensors(file)
    require(f"reading {file.name}", "torch")
    from c2v.encoder.sources.weight_files import load_state

    return load_state(file)


def hub_model(architecture: str, tag: str) -> HubModel:
    """Look up weights by their tag; open_clip is imported (seconds) for what c2v does not know.

    Raises:
        ModelError: no such architecture or tag, or its weights are not on the hub.
        MissingPartError: open_clip is needed for that and not installed.
    """
    source = f"{architecture}/{tag}"
    ours, model = find_pretrained(source), known_architecture(architecture)
    known = known_preprocessing(architecture, tag)
    if ours is not None and model is not None and known is not None:
        model |= {"quick_gelu": True} if ours.quick_gelu else {}
        files = _files(ours.file)
        return HubModel(architecture, tag, ours.repository, files, model, Preprocess(**known))
    if has("torch", "open_clip") and (theirs := _of_open_clip(architecture, tag)) is not None:
        return theirs
    if ours is not None:
        return HubModel(architecture, tag, ours.repository, _files(ours.file), None, None)
    raise _no_tag(architecture, tag)


def _of_open_clip(architecture: str, tag: str) -> HubModel | None:
    """Weights that the installed open_clip knows; None of none.

    Raises:
        ModelError: no such architecture, or its weights are not on the hub.
    """
    model = model_config(architecture)
    import open_clip

    found: dict[str, Any] = open_clip.get_pretrained_cfg(architecture, tag)
    if not found:
        return None
    where = str(found.get("hf_hub") or "")
    repository, _, file = where.rpartition("/")
    if not repository:
        raise ModelError(
            f"the weights {architecture}/{tag} are not on the hub",
            hint=f"download {found.get('url')}, then c2v model import FILE --architecture "
            f"{architecture}",
        )
    if found.get("quick_gelu"):  # trained so, whatever the architecture is called
        model["quick_gelu"] = True
    preprocess = Preprocess(
        mean=tuple(found["mean"]),
        std=tuple(found["std"]),
        interpolation=str(found["interpolation"]),
        resize=str(found["resize_mode"]),
    )
    return HubModel(architecture, tag, repository, _files(file), model, preprocess)


def _no_tag(architecture: str, tag: str) -> ModelError:
    """There are no such weights; the hint has those of the same architecture.

    Raises:
        MissingPartError: only open_clip could say.
    """
    tags = [one.tag for one in pretrained().values() if one.architecture == architecture]
    if not tags:
        require(f"the model {architecture}/{tag}", "torch", "open_clip")
        import open_clip

        tags = open_clip.list_pretrained_tags_by_model(architecture)
    return ModelError(
        f"open_clip has no weights {tag!r} for {architecture}",
        hint=f"choose one of {', '.join(tags)}" if tags else "c2v model import FILE",
    )


def _files(own: str) -> tuple[str, ...]:
    """Names of weight files in order of preference; only PyTorch reads pickles."""
    names: tuple[str, ...] = (_SAFE_NAME, _PICKLE_NAME)
    if own:
        names = (own,) if own.endswith(".safetensors") else (_safe(own), own)
    return names if has("torch") else tuple(n for n in names if n.endswith(".safetensors"))


def described(model: HubModel, fetching: Fetching) -> HubModel:
    """A model with its config and preprocessing, which its repository states where c2v and
    open_clip do not know them.

    Raises:
        ModelError: it does not, or not as open_clip writes it.
    """
    if model.model is not None:
        return model
    file = fetching.file(model.repository, OPEN_CLIP_CONFIG)
    if file is None:
        raise ModelError(
            f"{model.repository} at {fetching.origin.shown} has no {OPEN_CLIP_CONFIG}, which says "
            f"what {model.source} is",
            hint="copy that file there, too, or install c2v[clip], which knows it",
        )
    config, preprocess = read_open_clip_config(file)
    return HubModel(
        model.architecture, model.tag, model.repository, model.files, config, preprocess
    )


def read_open_clip_config(file: Path) -> tuple[dict[str, Any], Preprocess]:
    """The model config and the preprocessing in an ``open_clip_config.json``.

    Raises:
        ModelError: it is damaged, or says less.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        config, seen = dict(content["model_cfg"]), dict(content.get("preprocess_cfg") or {})
        known = Preprocess()
        preprocess = Preprocess(
            mean=tuple(map(float, seen.get("mean", known.mean))),
            std=tuple(map(float, seen.get("std", known.std))),
            interpolation=str(seen.get("interpolation", known.interpolation)),
            resize=str(seen.get("resize_mode", known.resize)),
        )
        for part in ("embed_dim", "vision_cfg", "text_cfg"):
            _ = config[part]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{file} does not say what its model is: {error}", hint="try another copy of it"
        ) from error
    return config, preprocess


def _cached(repository: str, file: str) -> Path | None:
    """A file that the hub's client has fetched before, whole: its cache is named by checksums.

    Raises:
        ModelError: what lies there is another one.
    """
    found = next((p for p in snapshots(hub_cache(), repository, file) if p.is_file()), None)
    if found is not None:
        refuse_pointer(found)
        if (stated := beside(found, found.parent)) is not None:
            stated.check(found, shown=str(found), hint="delete it, and fetch it again")
    return found


def default_is_cached() -> bool:
    """Whether the weights of the default model lie in the hub's cache already."""
    return any(_in_cache(DEFAULT_REPOSITORY, file) for file in _files(""))


def is_cached(source: str) -> bool:
    """Whether ``ARCHITECTURE/TAG`` can be had without a connection: the hub's cache holds it."""
    if source == DEFAULT_SOURCE:
        return default_is_cached()
    if not weights_cached():
        return False
    model = hub_model(*source.split("/", 1))
    found = [_in_cache(model.repository, file) for file in model.files]
    config = model.model is not None or _in_cache(model.repository, OPEN_CLIP_CONFIG)
    return any(found) and config


def _in_cache(repository: str, file: str) -> bool:
    return any(path.is_file() for path in snapshots(hub_cache(), repository, file))


def weights_cached() -> bool:
    """Whether the hub's cache holds weights of any open_clip model (which one takes seconds)."""
    found = hub_cache().glob("models--*/snapshots/*/*")
    return any(path.suffix in (".safetensors", ".bin", ".pt", ".pth") for path in found)


def download(model: HubModel, fetching: Fetching) -> Path:
    """The file of the weights, from the hub's cache or from where they are fetched.

    Raises:
        ModelError: it is in neither, did not come in full, or is damaged.
    """
    for file in model.files:
        if (found := fetching.cached(model.repository, file)) is not None:
            return found
    require_network(fetching.name, fetching.origin)
    for file in model.files:  # a repository may have the weights under the other name alone
        if (found := fetching.file(model.repository, file, shows=True)) is not None:
            return found
    raise ModelError(
        f"{fetching.name} is not at {fetching.origin.shown}: {model.repository} there holds none "
        f"of {', '.join(model.files)}",
        hint=_WITHOUT.format(name=fetching.name.replace("/", "-")),
    )


_WITHOUT: Final = (
    "c2v index --model mini PATH needs no network, and c2v model import FILE --name {name} takes a "
    "file"
)


def offline_by_choice() -> str:
    """The variable by which the user forbade connections, as the hub's client reads it, or ""."""
    for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        if os.environ.get(variable):  # the first one that is set decides
            forbidden = os.environ[variable].upper() in ("1", "ON", "YES", "TRUE")
            return variable if forbidden else ""
    return ""


def hub_reachable(address: str | None = None) -> bool:
    """Whether a server answers, known within four seconds; False at once where it is forbidden."""
    if offline_by_choice():
        return False
    answer: list[bool] = []
    url = address or endpoint()
    # A thread, because resolving a name has no time limit of its own.
    probe = threading.Thread(target=lambda: answer.append(_answers(url)), daemon=True)
    probe.start()
    probe.join(PROBE_SECONDS)
    return answer == [True]


def _answers(url: str) -> bool:
    try:
        request = urllib.request.Request(url, method="HEAD")
        with urllib.request.urlopen(request, timeout=PROBE_SECONDS):
            return True
    except urllib.error.HTTPError:
        return True  # an answer, if not the one hoped for
    except urllib.error.URLError as error:
        # Other certificates than Python's may be trusted when it comes to it: go on.
        return "CERTIFICATE" in str(error.reason).upper()
    except (OSError, ValueError, http.client.HTTPException):
        return False


def require_online(name: str, origin: Origin | None = None) -> None:
    """Say, without a connection, that there is to be none.

    Raises:
        UnreachableError: a variable forbids connections, and it takes one.
    """
    if (origin is None or origin.connects) and (variable := offline_by_choice()):
        value = os.environ[variable]
        raise _unreachable(name, f"{variable}={value} forbids fetching it")


def require_network(name: str, origin: Origin | None = None) -> None:
    """Say within five seconds that a model cannot be fetched. Connects, unless it is a folder.

    Raises:
        UnreachableError: the hub does not answer, or a variable forbids to ask it, or there is no
            such folder.
    """
    origin = origin or open_origin()
    require_online(name, origin)
    if origin.connects and not hub_reachable(getattr(origin, "base", None)):
        raise _unreachable(name, f"{origin.shown} cannot be reached")
    if not origin.connects and not Path(origin.shown).is_dir():
        raise _unreachable(name, f"there is no folder {origin.shown}")


def _unreachable(name: str, why: str) -> UnreachableError:
    return UnreachableError(
        name,
        f"is not on this machine and {why}",
        hint=_WITHOUT.format(name=name.replace("/", "-")),
    )


def _safe(file: str) -> str:
    return file.rpartition(".")[0] + ".safetensors"
