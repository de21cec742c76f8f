"""PNG bytes that any decoder reads back, small, the same for the same picture."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mithridate.core.errors import InputError
from mithridate.numeric.png import as_pixels, encode_png, resize

image_module = pytest.importorskip("PIL.Image")

pictures = hnp.arrays(
    np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3])), elements=st.integers(0, 255)
)


@settings(max_examples=60, deadline=None)
@given(pictures)
def test_another_decoder_reads_every_pixel_back(picture: np.ndarray) -> None:
    with image_module.open(io.BytesIO(encode_png(picture))) as opened:
        read = np.asarray(opened).reshape(picture.shape)
    assert np.array_equal(read, picture)


def test_one_grey_pixel_is_the_file_worked_by_hand() -> None:
    data = encode_png(np.array([[7]], np.uint8))
    body = zlib.compress(b"\x02\x07", 9)
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">IIBBBBB", data[16:29]) == (1, 1, 8, 0, 0, 0, 0)
    assert body in data


@pytest.mark.parametrize(
    "bad", [np.zeros((0, 3), np.uint8), np.zeros((2, 2, 2), np.uint8), np.zeros((2, 2)), np.zeros(4, np.uint8)]
)
def test_a_picture_that_png_cannot_hold_is_refused_with_its_shape(bad: np.ndarray) -> None:
    with pytest.raises(InputError, match="PNG needs"):
        encode_png(bad)


@settings(max_examples=60, deadline=None)
@given(pictures, st.integers(1, 40))
def test_resizing_never_passes_the_wished_side_and_keeps_the_range(picture: np.ndarray, side: int) -> None:
    shown = resize(picture, side=side)
    assert max(shown.shape[:2]) <= max(side, 1)
    assert min(shown.shape[:2]) >= 1
    assert shown.min() >= picture.min()
    assert shown.max() <= picture.max()


def test_odd_channels_and_values_become_a_picture() -> None:
    assert as_pixels(np.full((2, 2), 0.5, np.float32)).tolist() == [[[128], [128]], [[128], [128]]]
    assert as_pixels(np.array([[[np.nan], [2.0], [-1.0]]])).ravel().tolist() == [0, 255, 0]
    assert as_pixels(np.zeros((2, 2, 5), np.uint8)).shape == (2, 2, 3)
    assert as_pixels(np.zeros((2, 2, 2), np.uint8)).shape == (2, 2, 1)
