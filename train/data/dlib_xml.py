"""dlib's XML files of boxes with named parts, which its tool imglab writes."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from model.markup import Markup
from train.data.label_file import checked, find_picture, own_sample
from train.data.sample import Sample

_BOX = ("left", "top", "width", "height")


def read_dlib(file: Path, markup: Markup) -> list[Sample]:
    """The boxes of a file that have parts and are not marked to be ignored.

    Args:
        file: the XML.
        markup: of the points: parts have its names, or numbers from 0.

    Returns:
        Things in the file's order; parts that are not there are NaN.

    Raises:
        InputError: no such file, not XML, not in this layout, other parts than the markup's, a
            picture that is not there, or labels that cannot be; says which entry.
    """
    samples, places = [], []
    for image in _read(file).iter("image"):
        name = image.get("file")
        where = f"{file}, image {name}"
        path = None
        for number, box in enumerate(image.iter("box")):
            parts = box.findall("part")
            if not parts or box.get("ignore") == "1":
                continue
            place = f"{where}, box {number}"
            path = path or find_picture(file, name, where)
            points = _points(parts, markup, place)
            samples.append(
                own_sample(path, points, _box(box, place), markup, source=file.stem, where=place)
            )
            places.append(place)
    return checked(samples, places, file)


def _read(file: Path) -> Element:
    try:
        # Its parser (Expat 2.4 and later) limits what entities may grow to.
        return ElementTree.parse(file).getroot()
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror or error}.") from error
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise InputError(f"{file} is not an XML file: {error}.") from error


def _points(parts: list[Element], markup: Markup, where: str) -> NDArray[np.float64]:
    points = np.full((markup.points, 2), np.nan)
    names = {name: place for place, name in enumerate(markup.names)}
    for part in parts:
        name = part.get("name", "")
        place = names.get(name)
        if place is None and name.isdecimal() and len(name) < 6:
            place = int(name)
        if place is None or place >= markup.points:
            raise InputError(f"{where}: the markup {markup} has no point '{name}'.")
        if np.isfinite(points[place]).any():
            raise InputError(f"{where} has the part '{name}' twice.")
        points[place] = _numbers(part, ("x", "y"), where)
    return points


def _box(box: Element, where: str) -> NDArray[np.float64] | None:
    left, top, width, height = _numbers(box, _BOX, where)
    if not (width > 0 and height > 0):
        return None
    # The last pixel belongs to it.
    return np.array([left, top, left + width - 1, top + height - 1])


def _numbers(element: Element, names: tuple[str, ...], where: str) -> list[float]:
    values = []
    for name in names:
        try:
            value = float(element.get(name, ""))
        except ValueError:
            value = np.nan
        if not np.isfinite(value):
            raise InputError(
                f"{where}: '{name}' of a {element.tag} is {element.get(name)!r}, not a number."
            )
        values.append(value)
    return values
