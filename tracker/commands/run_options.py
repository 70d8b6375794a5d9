"""The options that `propnet-track` and `propnet-track batch` share, and the one way to a `Job`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast, get_type_hints

import typer

from model.zoo import DEFAULT_WEIGHTS

if TYPE_CHECKING:
    from tracker.engines.base import Precision
    from tracker.runs.job import Job

# `propnet-track bench` has it as well.
FollowerOption = Annotated[
    str,
    typer.Option(
        metavar="auto|same|NAME|FILE.onnx",
        help="Smaller network that follows faces, corrected by the other; same: none.",
    ),
]


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What both commands can be asked: a field is an option, its annotation the flag and the help.

    A new option is a field here and, in `job`, the place that it goes to; batch manifests follow
    from the `Job` (`tracker.runs.batch_manifest`).
    """

    scores: Annotated[
        bool, typer.Option("--scores", help="Tables with the score of every point.")
    ] = False
    names: Annotated[
        bool, typer.Option("--names", help="Tables call the points by the markup's names.")
    ] = False
    fov: Annotated[
        float | None,
        typer.Option(help="Camera's field of view for the head pose, degrees; 60 if not given."),
    ] = None
    intrinsics: Annotated[
        str | None,
        typer.Option(metavar="FX,FY,CX,CY", help="Or its calibration, pixels."),
    ] = None
    weights: Annotated[
        str, typer.Option(metavar="NAME|FILE.onnx", help="Network: a shipped one or your own.")
    ] = DEFAULT_WEIGHTS
    follower: FollowerOption = "auto"
    engine: Annotated[
        str,
        typer.Option(
            metavar="auto|openvino|onnxruntime|tensorrt|torch", help="What runs the network."
        ),
    ] = "auto"
    precision: Annotated[
        str, typer.Option(metavar="auto|f32|f16|bf16|int8", help="Arithmetic of the engine.")
    ] = "auto"
    max_faces: Annotated[int, typer.Option(min=1, help="Faces to follow at once.")] = 1
    detector: Annotated[
        str,
        typer.Option(
            metavar="auto|full|short|mediapipe|frame|FILE.onnx",
            help="What finds faces; or boxes of other things, or the whole frame.",
        ),
    ] = "auto"
    box: Annotated[
        list[str] | None,
        typer.Option(
            metavar="X,Y,W,H", help="Where a thing is at the beginning; repeat for several."
        ),
    ] = None
    min_detection: Annotated[
        float, typer.Option(min=0, max=1, help="The least score of a face to look at.")
    ] = 0.5
    smooth: Annotated[
        str,
        typer.Option(
            metavar="balanced|stable|responsive|off",
            help="Smoothing of the landmarks over time.",
        ),
    ] = "balanced"
    offline_smooth: Annotated[
        bool,
        typer.Option(
            "--offline-smooth", help="Smooth a file without any lag; it is read twice for that."
        ),
    ] = False
    # What the annotated pictures look like: docs/drawing.md.
    draw: Annotated[
        str,
        typer.Option(
            metavar="LAYERS",
            help="What to draw: of points, curves, boundaries, pose, ids, box, attention.",
        ),
    ] = "points,curves"
    point_size: Annotated[
        str | None,
        typer.Option(
            metavar="PIXELS|N%",
            help="Diameter of points; per cent of the usual, which follows faces.",
        ),
    ] = None
    line_width: Annotated[
        str | None, typer.Option(metavar="PIXELS|N%", help="Width of lines, likewise.")
    ] = None
    color: Annotated[
        str | None,
        typer.Option(
            metavar="COLOR,...",
            help="Of curves, boxes and ids: names or #RRGGBB, faces take turns.",
        ),
    ] = None
    point_color: Annotated[str | None, typer.Option(metavar="COLOR", help="Of points.")] = None
    compare: Annotated[
        str | None,
        typer.Option(
            metavar="source|raw",
            help="Side by side: on the left the picture as it is, or the points before smoothing.",
        ),
    ] = None
    codec: Annotated[
        str, typer.Option(metavar="auto|h264|av1|hevc", help="Of videos; auto is h264.")
    ] = "auto"
    crf: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=63,
            help="Quality of videos, smaller is better: h264 and hevc 0..51 (18 if not given), "
            "av1 1..63 (24).",
        ),
    ] = None
    max_frames: Annotated[
        int | None, typer.Option(min=1, help="Stop (in every file) after so many frames.")
    ] = None

    def job(
        self, source: str | Path | int, *, pictures: bool, threads: int | None = None, **more: Any
    ) -> Job:
        """The job that the options ask for.

        Args:
            source: what to read.
            pictures: whether anything annotated is made: the network's maps are wanted then.
            threads: of the engine; None for as few as keep up.
            more: fields of the `Job` that the command decides by itself.

        Raises:
            InputError: an option's words cannot be understood, or options contradict each other.
        """
        # The libraries behind these take a second to load; --help needs none of them.
        from tracker.detection.given_box import parse_box  # noqa: PLC0415
        from tracker.drawing.annotated_picture import parse_comparison  # noqa: PLC0415
        from tracker.drawing.draw_faces import parse_layers, wants_maps  # noqa: PLC0415
        from tracker.drawing.style import parse_style  # noqa: PLC0415
        from tracker.measures.intrinsics import parse_intrinsics  # noqa: PLC0415
        from tracker.runs.job import Job  # noqa: PLC0415
        from tracker.tracking.options import TrackerOptions  # noqa: PLC0415

        layers = parse_layers(self.draw)
        return Job(
            source,
            weights=self.weights,
            engine=self.engine,
            options=TrackerOptions(
                max_faces=max(self.max_faces, len(self.box or ())),
                detector=self.detector,
                boxes=tuple(map(parse_box, self.box or ())),
                min_detection=self.min_detection,
                smoothing=self.smooth,
                follower=self.follower,
                precision=cast("Precision", self.precision),
                threads=threads,
                maps=wants_maps(layers) and pictures,
            ),
            offline_smooth=self.offline_smooth,
            scores=self.scores,
            names=self.names,
            camera=parse_intrinsics(self.intrinsics) if self.intrinsics is not None else None,
            fov=self.fov,
            layers=layers,
            style=parse_style(self.point_size, self.line_width, self.color, self.point_color),
            compare=parse_comparison(self.compare),
            codec=self.codec,
            crf=self.crf,
            max_frames=self.max_frames,
            **more,
        )


def with_run_options(command: Callable[..., None]) -> Callable[..., None]:
    """A command that takes a `RunOptions` as `options`, for typer: with every field as an option.

    The fields stand where `options` stands among the command's own.
    """
    hints = get_type_hints(RunOptions, include_extras=True)
    shared = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=hints[field.name],
        )
        for field in fields(RunOptions)
    ]
    own = inspect.signature(command, eval_str=True)
    parameters = [
        each
        for parameter in own.parameters.values()
        for each in (shared if parameter.name == "options" else [parameter])
    ]

    @wraps(command)
    def call(*arguments: Any, **given: Any) -> None:
        options = RunOptions(**{parameter.name: given.pop(parameter.name) for parameter in shared})
        command(*arguments, options=options, **given)

    call.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    # typer asks both, and would show the hidden `options`.
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return call
