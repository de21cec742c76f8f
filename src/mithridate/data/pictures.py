"""Image files to pixels, through Pillow, as if every file came from an enemy."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mithridate.core.errors import InputError, MissingExtra

if TYPE_CHECKING:
    from types import ModuleType

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")  # no EPS: it starts Ghostscript
SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".pnm"))
MAX_PIXELS = 50_000_000  # an image larger than this is a decompression bomb or no training image
_GREY = {"1", "L"}
_ALPHA = {"RGBA", "LA", "PA", "RGBa", "La"}
_DEEP = {"I", "F", "I;16", "I;16B", "I;16L", "I;16N"}


class Head(NamedTuple):
    """An image's size and colour mode, known before a pixel is decoded."""

    width: int
    height: int
    mode: str


def head_of(file: Path | io.BytesIO, where: str) -> Head:
    """Size and mode (`L`, `RGB` or `RGBA`) of one image; pixels stay undecoded.

    Raises
    ------
    InputError : not an image, more pixels than `MAX_PIXELS`, or more than 8 bits a channel.
    """
    with _opened(file, where) as picture:
        return _head(picture, where)


def pixels_of(file: Path | io.BytesIO, mode: str, where: str) -> npt.NDArray[np.uint8]:
    """(h, w, c) uint8 pixels of the first frame, converted to `mode`."""
    with _opened(file, where) as picture:
        _head(picture, where)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                array = np.asarray(picture.convert(mode), dtype=np.uint8)
        except Exception as error:
            raise InputError(f"{where} is a damaged image ({_short(error)}); replace or remove it") from error
    return array.reshape(array.shape[0], array.shape[1], -1)


def common_mode(modes: Iterable[str]) -> str:
    """The least mode that loses nothing of any image."""
    found = set(modes)
    return next(mode for mode in ("RGBA", "RGB", "L") if mode in found)


def decode_all(files: Iterable[bytes], where: str, *, first_row: int = 0) -> npt.NDArray[np.uint8]:
    """(n, h, w, 3) pixels of encoded images of one size; (n, h, w, 1) when all are grey, 4 channels with alpha.

    Raises
    ------
    InputError : one of them isn't an image, or differs in size from the first.
    """
    buffers = [io.BytesIO(data) for data in files]
    heads = [head_of(buffer, f"{where}, row {first_row + row},") for row, buffer in enumerate(buffers)]
    for row, head in enumerate(heads):
        if head[:2] != heads[0][:2]:
            raise InputError(
                f"{where}: images differ in size, row {first_row} is {heads[0].width}x{heads[0].height} and row "
                f"{first_row + row} is {head.width}x{head.height} pixels; resize them to one size"
            )
    mode = common_mode(head.mode for head in heads)
    return np.stack([pixels_of(b, mode, f"{where}, row {first_row + row},") for row, b in enumerate(buffers)])


def same_channels(parts: list[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
    """Blocks of images (n, h, w, c) with one c: grey becomes three channels, a missing alpha becomes opaque."""
    most = max(part.shape[3] for part in parts)
    out = []
    for part in parts:
        wider = np.repeat(part, min(most, 3), axis=3) if part.shape[3] < min(most, 3) else part
        if wider.shape[3] < most:
            opaque = np.full((*wider.shape[:3], 1), 255, wider.dtype)
            wider = np.concatenate([wider, opaque], axis=3)
        out.append(wider)
    return out


def _head(picture: Any, where: str) -> Head:
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise InputError(f"{where} has {width}x{height} pixels, more than {MAX_PIXELS:,}; remove it or scale it down")
    if picture.mode in _DEEP:
        raise InputError(
            f"{where} has more than 8 bits a channel ({picture.mode}); pass such images as float arrays (.npz)"
        )
    if picture.mode in _ALPHA or "transparency" in picture.info:
        return Head(width, height, "RGBA")
    return Head(width, height, "L" if picture.mode in _GREY else "RGB")


def _opened(file: Path | io.BytesIO, where: str) -> Any:
    pillow = _pillow()
    if isinstance(file, io.BytesIO):
        file.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pillow.open(file, formats=FORMATS)
    except PermissionError as error:
        raise InputError(f"{where} can't be read: permission denied; change its mode, or run as its owner") from error
    except pillow.DecompressionBombError as error:
        raise InputError(f"{where} has more than {MAX_PIXELS:,} pixels; remove it or scale it down") from error
    except Exception as error:
        size = file.stat().st_size if isinstance(file, Path) else len(file.getvalue())
        fact = "is an empty file" if size == 0 else "isn't an image"
        raise InputError(f"{where} {fact}; replace or remove it") from error


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0][:80] if str(error) else 'no message'}"


def _pillow() -> ModuleType:
    try:
        from PIL import Image
    except ImportError as error:
        package = "Pillow"
        raise MissingExtra(package, "vision", "reading image files") from error
    logger = logging.getLogger("PIL")
    if not logger.handlers:  # without one, Python prints what the decoders say about damaged files
        logger.addHandler(logging.NullHandler())
    return Image


def png_of(pixels: npt.NDArray[np.uint8]) -> bytes:
    """(h, w, c) uint8 pixels, c of 1, 3 or 4, as a PNG file's bytes; nothing is lost."""
    buffer = io.BytesIO()
    flat = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    _pillow().fromarray(np.ascontiguousarray(flat)).save(buffer, format="PNG", compress_level=3)
    return buffer.getvalue()
