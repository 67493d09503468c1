"""The options of ``c2v finetune``."""

from pathlib import Path
from typing import Annotated

import typer

DataFlag = Annotated[
    str,
    typer.Option(
        "--data",
        metavar="FILE|NAME",
        help="CSV, TSV, JSON or JSONL with video, caption; or a benchmark, such as msrvtt-9k.",
    ),
]
VideosFlag = Annotated[
    Path | None,
    typer.Option(
        "--videos",
        metavar="DIR",
        help="Where the videos are.  \\[default: beside the file, else in the library]",
        show_default=False,
    ),
]
AnnotationsFlag = Annotated[
    Path | None,
    typer.Option(
        "--annotations",
        metavar="DIR",
        help="A benchmark's own files.  \\[default: --videos]",
        show_default=False,
    ),
]
NameFlag = Annotated[
    str | None,
    typer.Option(
        "--name", help="What the new model is called.  \\[default: as the data]", show_default=False
    ),
]
RecipeFlag = Annotated[
    str,
    typer.Option(
        "--recipe",
        metavar="own|clip4clip|clip2video",
        help="How what is not said is chosen: by size, or as the papers train all of a CLIP.",
    ),
]
HeadFlag = Annotated[
    str | None,
    typer.Option(
        "--head",
        metavar="clip2video|seqTransf|seqLSTM|meanP|wti",
        help="The temporal head.  \\[default: the model's own where it is trained, meanP below 50 "
        "videos, else clip2video]",
        show_default=False,
    ),
]
TrainFlag = Annotated[
    str | None,
    typer.Option(
        "--train",
        metavar="head|all",
        help="The head on stored features, or the towers too.  \\[default: head below 20,000 "
        "pairs or with frozen towers]",
        show_default=False,
    ),
]
InitFlag = Annotated[
    str | None,
    typer.Option(
        "--init",
        metavar="identity|clip|model",
        help="First weights: as meanP, from CLIP's text tower, or the model's own head.  "
        "\\[default: model where it is trained, identity below 20,000 pairs, else clip]",
        show_default=False,
    ),
]
EpochsFlag = Annotated[
    int | None,
    typer.Option(
        "--epochs",
        min=1,
        help="Most passes over the videos.  \\[default: by size]",
        show_default=False,
    ),
]
BatchFlag = Annotated[
    int | None,
    typer.Option(
        "--batch",
        min=2,
        help="Videos a step, of all processes.  \\[default: by size]",
        show_default=False,
    ),
]
MicroBatchFlag = Annotated[
    int | None,
    typer.Option(
        "--micro-batch",
        min=1,
        help="Videos in memory at once; the gradient stays that of the whole batch.  "
        "\\[default: 64]",
        show_default=False,
    ),
]
OptimizerFlag = Annotated[
    str,
    typer.Option(
        "--optimizer",
        metavar="adamw|bertadam",
        help="How weights are changed; bertadam is that of the papers.",
    ),
]
LearningRateFlag = Annotated[
    float | None,
    typer.Option("--learning-rate", help="Of the head.  \\[default: 0.0003]", show_default=False),
]
ClipLearningRateFlag = Annotated[
    float | None,
    typer.Option(
        "--clip-learning-rate", help="Of the towers.  \\[default: 0.000003]", show_default=False
    ),
]
FreezeFlag = Annotated[
    list[str] | None,
    typer.Option(
        "--freeze",
        metavar="N|PATTERN",
        help="Leave the first N blocks of both towers (-1: not even what is before them), or "
        "weights of that name, as they are.",
        show_default=False,
    ),
]
ProjectionsFlag = Annotated[
    bool,
    typer.Option(
        "--projections/--no-projections", help="A linear layer on the features of both sides."
    ),
]
ValidationFlag = Annotated[
    float | None,
    typer.Option(
        "--validation",
        metavar="SHARE",
        help="Share of the videos that is held back.  \\[default: 0.1; below 50 videos each once, "
        "in turns]",
        show_default=False,
    ),
]
PatienceFlag = Annotated[
    int,
    typer.Option(
        "--patience",
        min=0,
        help="Epochs to wait for a better one; 0: a sixth of all, at least 8, none after a "
        "perfect one.",
    ),
]
SeedFlag = Annotated[
    int, typer.Option("--seed", min=0, help="What chance begins with: the same gives the same.")
]
ResumeFlag = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on where a run of that name stopped; without --name the newest of the data.",
    ),
]
OverwriteFlag = Annotated[
    bool, typer.Option("--overwrite", help="Replace a model or run of that name.")
]
GuardFlag = Annotated[
    bool,
    typer.Option(
        "--guard/--no-guard",
        help="Learn no more than can be learnt without finding everyday things worse.",
    ),
]
KeepFlag = Annotated[
    bool, typer.Option("--keep", help="Write the model even if it is no better than before.")
]
Bf16Flag = Annotated[bool, typer.Option("--bf16", help="Multiply matrices in bfloat16 (for GPUs).")]
