"""Small label files with points of one's own, and their pictures."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from model.markup import Markup
from model.markup_file import markup_from_dict

NAMES = ("tip", "left foot", "right foot")


def arrow_markup(**more: Any) -> Markup:
    """Three points with a curve; `more` are keys of the markup file."""
    table = {
        "format": "propnet-markup-1",
        "name": "arrow",
        "points": list(NAMES),
        "curves": {"head": ["left foot", "tip", "right foot"]},
        "mirror": [["left foot", "right foot"]],
    }
    return markup_from_dict(table | more, "here")


def arrows(
    count: int, seed: int = 0, size: tuple[int, int] = (160, 120)
) -> list[NDArray[np.float64]]:
    """Points [3, 2] of arrows anywhere in pictures of a size."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        middle, length = rng.uniform(0.35, 0.65, 2) * size, rng.uniform(15, 30)
        angle = rng.uniform(-0.5, 0.5)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        found.append(middle + length * np.array([[0, -1], [-0.6, 0.8], [0.6, 0.8]]) @ turn.T)
    return found


def draw_arrow(
    points: NDArray[np.float64], size: tuple[int, int] = (160, 120)
) -> NDArray[np.uint8]:
    """[H, W, 3], a filled triangle on a ground with some pattern."""
    width, height = size
    points = np.nan_to_num(points, nan=60.0)
    ground = (np.indices((height, width)).sum(axis=0) % 32 * 3 + 40).astype(np.uint8)
    image = np.repeat(ground[..., None], 3, axis=2)
    cv2.fillPoly(image, [np.rint(points * 16).astype(np.int32)], (230, 210, 60), cv2.LINE_AA, 4)
    cv2.circle(image, np.rint(points[0] * 16).astype(int).tolist(), 64, (200, 30, 30), -1, shift=4)
    return image


def write_pictures(folder: Path, faces: list[NDArray[np.float64]]) -> list[str]:
    """One picture each, in `images`; their names."""
    (folder / "images").mkdir(parents=True)
    names = []
    for number, points in enumerate(faces):
        names.append(f"{number:03d}.png")
        picture = cv2.cvtColor(draw_arrow(points), cv2.COLOR_RGB2BGR)
        assert cv2.imwrite(str(folder / "images" / names[-1]), picture)
    return names


def coco(
    names: list[str], faces: list[NDArray[np.float64]], boxes: bool = True
) -> dict[str, list[dict[str, Any]]]:
    """What a COCO file holds of them."""
    annotations = []
    for number, points in enumerate(faces):
        seen = np.isfinite(points).all(axis=1)
        values = np.column_stack([np.where(seen[:, None], points, 0), 2 * seen])
        entry: dict[str, Any] = {
            "id": number, "image_id": number + 7, "category_id": 3,
            "keypoints": values.ravel().tolist(),
        }  # fmt: skip
        if boxes:
            low, high = np.nanmin(points, axis=0) - 4, np.nanmax(points, axis=0) + 4
            entry["bbox"] = [*low.tolist(), *(high - low).tolist()]
        annotations.append(entry)
    return {
        "images": [{"id": i + 7, "file_name": name} for i, name in enumerate(names)],
        "annotations": annotations,
        "categories": [{"id": 3, "name": "arrow", "keypoints": list(NAMES)}],
    }


def write_coco_folder(folder: Path, count: int, seed: int = 0) -> list[NDArray[np.float64]]:
    """A folder as CVAT exports it; the points."""
    faces = arrows(count, seed)
    names = write_pictures(folder, faces)
    (folder / "annotations").mkdir()
    text = json.dumps(coco(names, faces))
    (folder / "annotations" / "person_keypoints_default.json").write_text(text)
    return faces


def write_dlib_file(
    path: Path, names: list[str], faces: list[NDArray[np.float64]], numbers: bool = False
) -> None:
    """dlib's XML; boxes 4 pixels around the points."""
    lines = ["<?xml version='1.0' encoding='ISO-8859-1'?>", "<dataset><images>"]
    for name, points in zip(names, faces, strict=True):
        low, high = np.floor(np.nanmin(points, 0) - 4), np.ceil(np.nanmax(points, 0) + 4)
        left, top, width, height = *low, *(high - low + 1)
        lines.append(f"<image file='images/{name}'><box top='{top:g}' left='{left:g}' "
                     f"width='{width:g}' height='{height:g}'>")  # fmt: skip
        lines += [
            f"<part name='{f'{i:02d}' if numbers else NAMES[i]}' x='{x}' y='{y}'/>"
            for i, (x, y) in enumerate(points.tolist())
            if np.isfinite(x)
        ]
        lines.append("</box><box ignore='1' top='0' left='0' width='9' height='9'/></image>")
    path.write_text("\n".join([*lines, "</images></dataset>"]))


def write_csv_file(path: Path, names: list[str], faces: list[NDArray[np.float64]]) -> None:
    """Columns of the tracker's tables."""
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["note", "image", *(f"{a}_{name}" for a in "xy" for name in NAMES)])
        for name, points in zip(names, faces, strict=True):
            cells = ["" if np.isnan(value) else repr(value) for value in points.T.ravel().tolist()]
            writer.writerow(["-", f"images/{name}", *cells])
