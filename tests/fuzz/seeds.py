"""Good files of every kind, small, made on the spot."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from model.markup_file import MARKUPS_FOLDER
from tests.support.box_onnx import LAYOUTS, box_onnx
from tests.support.face_files import template, write_faces
from tests.support.own_files import (
    arrows,
    coco,
    write_csv_file,
    write_dlib_file,
    write_pictures,
)
from tests.support.paths import ROOT
from tests.support.picture_files import animated_webp, exif, tiff_of_pages, with_avif_turn
from tests.support.tiny_onnx import METADATA, tiny_onnx
from tests.support.video_files import make_video, picture, tone

LIST = "data/WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_train.txt"
PTS = "data/ibug/a.pts"
MAT = "data/COFW_test_color.mat"


def videos(folder: Path) -> list[bytes]:
    """MP4, MOV, Matroska, WebM, AVI, MPEG-TS, FLV, GIF and bare H.264, some with sound."""
    import av

    sound = ("aac", tone(0.4))
    made = [
        make_video(folder / "a.mp4", 12, audio=sound),
        make_video(folder / "b.mp4", 12, rotation=90, options={"movflags": "faststart"}),
        make_video(folder / "f.mp4", 12, options={"movflags": "frag_keyframe+empty_moov"}),
        make_video(folder / "a.mov", 8, mirror=True),
        make_video(folder / "a.mkv", 12, audio=sound),
        make_video(folder / "a.ts", 12, audio=sound),
        make_video(folder / "a.flv", 8),
        make_video(folder / "a.avi", 8),
        make_video(folder / "a.h264", 8),
    ]
    for name, codec, kind in (
        ("a.webm", "libvpx-vp9", "yuv420p"),
        ("j.avi", "mjpeg", "yuvj420p"),
        ("a.gif", "gif", "rgb8"),
        ("a.apng", "apng", "rgb24"),
        ("a.mpg", "mpeg2video", "yuv420p"),
    ):
        path = folder / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 48, kind
            for level in range(0, 200, 30):
                frame = av.VideoFrame.from_ndarray(picture(level=level)).reformat(format=kind)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        made.append(path)
    return [path.read_bytes() for path in made]


def pictures(folder: Path) -> list[bytes]:
    """Every kind that is read: still, moving, turned, deep, grey, of pages."""
    image = picture(64, 48)
    levels = [picture(32, 24, level=level) for level in range(0, 200, 40)]
    block = np.frombuffer(exif(6), np.uint8)
    kinds = ["png", "jpg", "webp", "tiff", "bmp", "gif", "jp2", "ppm", "pgm", "pam", "sr", "avif"]
    made = [
        cv2.imencode(f".{kind}", image[..., 0] if kind == "pgm" else image)[1].tobytes()
        for kind in kinds
    ]
    floats = image.astype(np.float32) / 255
    made += [cv2.imencode(f".{kind}", floats)[1].tobytes() for kind in ("hdr", "pfm")]
    made.append(cv2.imencode(".png", image.astype(np.uint16) * 257)[1].tobytes())
    made.append(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes())
    made += [
        cv2.imencodeWithMetadata(kind, image, [cv2.IMAGE_METADATA_EXIF], [block])[1].tobytes()
        for kind in (".jpg", ".png", ".avif")
    ]
    made.append(with_avif_turn(cv2.imencode(".avif", image)[1].tobytes(), 1, 0))
    made.append(animated_webp(folder / "a.webp", levels, [40] * len(levels)).read_bytes())
    made.append(tiff_of_pages(folder / "a.tiff", levels).read_bytes())
    return made


def networks(folder: Path) -> list[bytes]:
    """Two exported networks, one with a calibration."""
    numbers = {"face": [-13.2, 27.5, 0.0, 0.0], "point": [-7.1, 14.2, 0.0, 0.0]}
    more = {**METADATA, "calibration": json.dumps(numbers), "markup": "ibug68"}
    return [
        tiny_onnx(folder / "a.onnx").read_bytes(),
        tiny_onnx(folder / "b.onnx", metadata=more, points=68).read_bytes(),
    ]


def weights(folder: Path) -> list[bytes]:
    """A small network that has learned nothing."""
    import torch

    from model.network.propnet import PropNet
    from model.weights import Metadata, save_network
    from tests.support.face_files import TINY

    torch.manual_seed(0)
    save_network(folder / "a.safetensors", PropNet(TINY), Metadata("tiny", TINY, 64, "notes"))
    return [(folder / "a.safetensors").read_bytes()]


def checkpoints(folder: Path) -> list[bytes]:
    """A run that was broken off."""
    import torch

    from train.learning.checkpoint import Progress, save_checkpoint
    from train.learning.history import HistoryRow

    progress = Progress(1, 3, 23, 184, 71.25, 4.5, 6.5, [HistoryRow(1, 9, 80, 0.5, 64, 1e-3, 3, 6)])
    path = folder / "a.pt"
    save_checkpoint(path, {"seed": 3}, progress, {"network": {"w": torch.arange(300.0)}})
    return [path.read_bytes()]


def pts_files(folder: Path) -> list[bytes]:
    """A face of 300W, of which the others of the folder stay whole."""
    from train.data.pts_file import write_pts

    home = folder / Path(PTS).parent
    home.mkdir(parents=True)
    points = template()[:68] * 30 + 48
    made = []
    for name in ("a", "b"):
        cv2.imwrite(str(home / f"{name}.png"), np.zeros((96, 96, 3), np.uint8))
        write_pts(home / f"{name}.pts", points, one_based=True)
        made.append((home / f"{name}.pts").read_bytes())
    return made


def wflw_lists(folder: Path) -> list[bytes]:
    """A list of eight drawn faces."""
    write_faces(folder / "data", train=8, test=1)
    return [(folder / LIST).read_bytes()]


def mat_files(folder: Path) -> list[bytes]:
    """Three faces of COFW, as old and as new versions of HDF5 write them."""
    import h5py

    made = []
    for number, version in enumerate(("earliest", "latest")):
        path = folder / f"{number}.mat"
        with h5py.File(path, "w", libver=version) as file:
            cells = file.create_dataset("IsT", (1, 3), dtype=h5py.ref_dtype)
            for index in range(3):
                image = picture(64, 48)[..., 0] if index == 1 else picture(64, 48)
                packed = {"compression": "gzip", "chunks": True} if index else {}
                stored = file.create_dataset(f"#refs#/{index}", data=image.T, **packed)
                cells[0, index] = stored.ref
            points = template()[:29] * 15 + 24
            row = np.concatenate([points[:, 0], points[:, 1], np.zeros(29)])
            file.create_dataset("phisT", data=np.stack([row] * 3).T)
            file.create_dataset("bboxesT", data=np.ones((4, 3)))
        made.append(path.read_bytes())
    (folder / MAT).parent.mkdir()
    return made


def coco_files(folder: Path) -> list[bytes]:
    """Four things with points of one's own, one of them not labelled; and their pictures."""
    faces = arrows(4)
    faces[1][2] = np.nan
    names = write_pictures(folder / "own", faces)
    return [json.dumps(coco(names, faces, boxes)).encode() for boxes in (True, False)]


def dlib_files(folder: Path) -> list[bytes]:
    """The same for dlib."""
    faces, made = arrows(4), []
    names = write_pictures(folder / "own", faces)
    for numbers in (False, True):
        write_dlib_file(folder / "own" / "a.xml", names, faces, numbers)
        made.append((folder / "own" / "a.xml").read_bytes())
    return made


def csv_files(folder: Path) -> list[bytes]:
    """The same as a table."""
    faces = arrows(4)
    write_csv_file(folder / "own" / "a.csv", write_pictures(folder / "own", faces), faces)
    return [(folder / "own" / "a.csv").read_bytes()]


def markups(folder: Path) -> list[bytes]:
    """The shipped markups, and those of the examples."""
    del folder
    paths = sorted(MARKUPS_FOLDER.glob("*.yaml")) + sorted((ROOT / "examples").rglob("*.yaml"))
    return [path.read_bytes() for path in paths]


def detectors(folder: Path) -> list[bytes]:
    """Detectors of boxes in every layout."""
    return [box_onnx(folder / f"{name}.onnx", name).read_bytes() for name in LAYOUTS]


def recipes(folder: Path) -> list[bytes]:
    """The shipped recipes and list of changes, and one with anchors."""
    from train.recipes.recipe import RECIPES

    anchors = b"sources: {a: &few {rate: 0.5}, b: *few, c: {<<: *few, weight: 2}}\n"
    return [path.read_bytes() for path in sorted(RECIPES.rglob("*.yaml"))] + [anchors]
