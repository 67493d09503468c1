"""Weights of open_clip models from the Hugging Face hub, through its own client and cache.

The client's settings count: ``HF_HOME``, ``HF_HUB_CACHE``, ``HF_HUB_OFFLINE``, ``HF_ENDPOINT``.
Left alone it takes more than twenty seconds to find out that there is no network, so that is
asked first, with a limit of its own. That is a connection too: whoever calls has announced it
(:mod:`c2v.encoder.sources.announcement`).
"""

from __future__ import annotations

import http.client
import inspect
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from numpy.typing import NDArray

from c2v.encoder.architecture import Preprocess, model_config
from c2v.encoder.clip_bundle import ClipSource
from c2v.encoder.default_model import DEFAULT_REPOSITORY
from c2v.encoder.registry import DEFAULT_SOURCE
from c2v.encoder.sources.announcement import endpoint, host
from c2v.encoder.tensors import has_numpy_types, read_tensors
from c2v.errors import ModelError, UnreachableError
from c2v.optional import has, require

if TYPE_CHECKING:
    import torch

PROBE_SECONDS: Final = 4.0
_SAFE_NAME: Final = "open_clip_model.safetensors"
_PICKLE_NAME: Final = "open_clip_pytorch_model.bin"

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class HubModel:
    """Where the weights of an open_clip model lie, and what they expect to see."""

    architecture: str
    tag: str
    repository: str
    files: tuple[str, ...]  # in order of preference
    preprocess: Preprocess


def hub_source(source: str, *, name: str, on_progress: Progress | None = None) -> ClipSource:
    """The weights ``ARCHITECTURE/TAG``, from the hub or its cache, ready to become a bundle.

    Raises:
        ModelError: as :func:`hub_model` and :func:`download`.
    """
    architecture, _, tag = source.partition("/")
    hub = hub_model(architecture, tag)
    state = _read_weights(download(hub, name=name, on_progress=on_progress))
    return ClipSource(
        state=state,
        model=model_config(architecture),
        preprocess=hub.preprocess,
        order=tuple(state),
        source=f"open_clip {source} (https://huggingface.co/{hub.repository})",
        licence=f"see https://huggingface.co/{hub.repository}",
    )


def _read_weights(file: Path) -> Mapping[str, torch.Tensor | NDArray[Any]]:
    """The weights of a file from the hub: without PyTorch where NumPy knows all of its types."""
    if file.suffix == ".safetensors" and has_numpy_types(file):
        return read_tensors(file)
    require(f"reading {file.name}", "torch")
    from c2v.encoder.sources.weight_files import load_state

    return load_state(file)


def offline_by_choice() -> str:
    """The variable by which the user forbade connections, as the hub's client reads it, or ""."""
    for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        if os.environ.get(variable):  # the first one that is set decides
            forbidden = os.environ[variable].upper() in ("1", "ON", "YES", "TRUE")
            return variable if forbidden else ""
    return ""


def hub_reachable() -> bool:
    """Whether the hub answers, known within four seconds; False at once where that is forbidden."""
    if offline_by_choice():
        return False
    answer: list[bool] = []
    # A thread, because resolving a name has no time limit of its own.
    probe = threading.Thread(target=lambda: answer.append(_answers(endpoint())), daemon=True)
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
        # The hub's client may trust certificates that Python does not: let it try.
        return "CERTIFICATE" in str(error.reason).upper()
    except (OSError, ValueError, http.client.HTTPException):
        return False


def hub_model(architecture: str, tag: str) -> HubModel:
    """Look up a pretrained tag of open_clip: it is imported (seconds) unless it is the default.

    Raises:
        ModelError: no such architecture or tag, or its weights are not on the hub.
        MissingPartError: open_clip is needed for that and not installed.
    """
    if f"{architecture}/{tag}" == DEFAULT_SOURCE:
        return HubModel(architecture, tag, DEFAULT_REPOSITORY, _readable_names(), Preprocess())
    require(f"the model {architecture}/{tag}", "torch", "open_clip")
    model_config(architecture)
    import open_clip

    found: dict[str, Any] = open_clip.get_pretrained_cfg(architecture, tag)
    tags = open_clip.list_pretrained_tags_by_model(architecture)
    if not found:
        raise ModelError(
            f"open_clip has no weights {tag!r} for {architecture}",
            hint=f"choose one of {', '.join(tags)}" if tags else "c2v model import FILE",
        )
    where = str(found.get("hf_hub") or "")
    repository, _, file = where.rpartition("/")
    if not repository:
        raise ModelError(
            f"the weights {architecture}/{tag} are not on the hub",
            hint=f"download {found.get('url')}, then c2v model import FILE --architecture "
            f"{architecture}",
        )
    files: tuple[str, ...] = (_SAFE_NAME, _PICKLE_NAME)
    if file:
        files = (file,) if file.endswith(".safetensors") else (_safe(file), file)
    preprocess = Preprocess(
        mean=tuple(found["mean"]),
        std=tuple(found["std"]),
        interpolation=str(found["interpolation"]),
        resize=str(found["resize_mode"]),
    )
    return HubModel(architecture, tag, repository, files, preprocess)


def default_is_cached() -> bool:
    """Whether the weights of the default model lie in the hub's cache already."""
    from huggingface_hub import try_to_load_from_cache

    cached = (try_to_load_from_cache(DEFAULT_REPOSITORY, name) for name in _readable_names())
    return any(isinstance(path, str) for path in cached)


def _readable_names() -> tuple[str, ...]:
    """Names of weight files in order of preference; only PyTorch reads pickles."""
    return (_SAFE_NAME, _PICKLE_NAME) if has("torch") else (_SAFE_NAME,)


def is_cached(source: str) -> bool:
    """Whether ``ARCHITECTURE/TAG`` can be had without a connection: the hub's cache holds it."""
    if source == DEFAULT_SOURCE:
        return default_is_cached()
    if not weights_cached():
        return False
    from huggingface_hub import try_to_load_from_cache

    architecture, _, tag = source.partition("/")
    model = hub_model(architecture, tag)
    found = (try_to_load_from_cache(model.repository, file) for file in model.files)
    return any(isinstance(path, str) for path in found)


def weights_cached() -> bool:
    """Whether the hub's cache holds weights of any open_clip model (which one takes seconds)."""
    from huggingface_hub.constants import HF_HUB_CACHE

    found = Path(HF_HUB_CACHE).glob("models--*/snapshots/*/*")
    return any(path.suffix in (".safetensors", ".bin", ".pt", ".pth") for path in found)


def download(model: HubModel, *, name: str, on_progress: Progress | None = None) -> Path:
    """The file of the weights, from the cache or from the hub.

    Args:
        model: what to fetch.
        name: the name the user asked for, for the message.
        on_progress: called with bytes done and bytes in all.

    Raises:
        ModelError: it is not cached and there is no network, or the hub refuses.
    """
    from huggingface_hub import try_to_load_from_cache

    for file in model.files:
        cached = try_to_load_from_cache(model.repository, file)
        if isinstance(cached, str):
            return Path(cached)
    require_network(name)
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    for file in model.files:
        try:
            return _download(model.repository, file, on_progress)
        except LocalEntryNotFoundError as error:  # a kind of EntryNotFoundError, so it comes first
            raise _refused(name, error) from error
        except EntryNotFoundError:
            continue  # this repository has the weights under the other name
        except Exception as error:  # the client lets errors of several HTTP libraries through
            raise _refused(name, error) from error
    raise ModelError(f"{model.repository} holds none of {', '.join(model.files)}")


def require_online(name: str) -> None:
    """Say, without a connection, that there is to be none.

    Raises:
        UnreachableError: a variable forbids connections.
    """
    if variable := offline_by_choice():
        value = os.environ[variable]
        raise _unreachable(name, f"{variable}={value} forbids fetching it")


def require_network(name: str) -> None:
    """Say within five seconds that a model cannot be fetched. Connects.

    Raises:
        UnreachableError: the hub does not answer, or a variable forbids to ask it.
    """
    require_online(name)
    if not hub_reachable():
        raise _unreachable(name, f"{host()} cannot be reached")


def _unreachable(name: str, why: str) -> UnreachableError:
    return UnreachableError(
        name,
        f"is not on this machine and {why}",
        hint="c2v index --model mini PATH needs no network, and c2v model import FILE --name "
        f"{name.replace('/', '-')} takes a file",
    )


def _refused(name: str, error: Exception) -> ModelError:
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    return ModelError(
        f"{name} could not be fetched from {endpoint()}: {first}",
        hint="try again; c2v index --model mini PATH needs no network, and c2v model import FILE "
        "--name NAME takes a file",
    )


def _download(repository: str, file: str, on_progress: Progress | None) -> Path:
    from huggingface_hub import hf_hub_download

    options: dict[str, Any] = {"etag_timeout": PROBE_SECONDS}
    # Clients before 1.0 cannot report; they show a bar of their own.
    if "tqdm_class" in inspect.signature(hf_hub_download).parameters:
        options["tqdm_class"] = _reporter(on_progress)
    return Path(hf_hub_download(repository, file, **options))


def _reporter(on_progress: Progress | None) -> type[Any]:
    """A tqdm class that reports bytes to ``on_progress`` and prints nothing."""
    from tqdm import tqdm  # type: ignore[import-untyped]

    class Reporter(tqdm):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            options.pop("name", None)
            # Not even written elsewhere: what a bar does when it is thrown away, after Ctrl-C in
            # the middle of its making, ends in a traceback.
            super().__init__(*arguments, **(options | {"disable": True}))

        def update(self, n: float | None = 1) -> None:
            self.n += n or 0
            if on_progress is not None and self.total:
                on_progress(int(self.n), int(self.total))

    return Reporter


def _safe(file: str) -> str:
    return file.rpartition(".")[0] + ".safetensors"
