"""Options that several commands have, each declared once; defaults stand with the commands."""

from __future__ import annotations

from typing import Annotated

import typer

Scores = Annotated[bool, typer.Option("--scores", help="Tables with the score of every point.")]
Weights = Annotated[
    str, typer.Option(metavar="NAME|FILE.onnx", help="Network: a shipped one or your own.")
]
EngineName = Annotated[
    str,
    typer.Option(metavar="auto|openvino|onnxruntime|tensorrt|torch", help="What runs the network."),
]
MaxFaces = Annotated[int, typer.Option(min=1, help="Faces to follow at once.")]
Smooth = Annotated[
    str,
    typer.Option(
        metavar="balanced|stable|responsive|off", help="Smoothing of the landmarks over time."
    ),
]

# What the annotated pictures look like: docs/drawing.md.
Draw = Annotated[
    str,
    typer.Option(
        metavar="LAYERS",
        help="What to draw: of points, curves, boundaries, pose, ids, box, attention.",
    ),
]
PointSize = Annotated[
    str | None,
    typer.Option(
        metavar="PIXELS|N%", help="Diameter of points; per cent of the usual, which follows faces."
    ),
]
LineWidth = Annotated[
    str | None, typer.Option(metavar="PIXELS|N%", help="Width of lines, likewise.")
]
Color = Annotated[
    str | None,
    typer.Option(
        metavar="COLOR,...", help="Of curves, boxes and ids: names or #RRGGBB, faces take turns."
    ),
]
PointColor = Annotated[str | None, typer.Option(metavar="COLOR", help="Of points.")]
Compare = Annotated[
    str | None,
    typer.Option(
        metavar="source|raw",
        help="Side by side: on the left the picture as it is, or the points before smoothing.",
    ),
]
VideoCodec = Annotated[
    str, typer.Option("--codec", metavar="auto|h264|av1|hevc", help="Of videos; auto is h264.")
]
Crf = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=63,
        help="Quality of videos, smaller is better: h264 and hevc 0..51 (18 if not given), "
        "av1 1..63 (24).",
    ),
]
