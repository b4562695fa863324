import io
import struct

from fifteen.common.errors import UserError
from fifteen.serving import pictures
from fifteen.serving.pictures import find_pictures, read_picture

import numpy as np
import pytest
from PIL import Image

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (32, 32, 3), np.uint8)


def encoded(picture, kind="PNG", **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("WEBP", {"lossless": True})])
def test_a_picture_of_the_right_size_stays_as_it_is(kind, options):
    content = encoded(Image.fromarray(PIXELS), kind, **options)
    np.testing.assert_array_equal(read_picture(content), PIXELS)


def test_a_jpeg_is_nearly_the_picture():
    smooth = np.zeros((32, 32, 3), np.uint8)
    smooth[:, :, 0] = np.linspace(0, 255, 32)
    actual = read_picture(encoded(Image.fromarray(smooth), "JPEG", quality=95))
    assert np.abs(actual.astype(int) - smooth).max() < 16


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK"])
def test_any_mode(mode):
    """A picture that is light on the left and dark on the right looks so in every mode."""
    grey = np.where(np.arange(64) < 32, 255, 0).astype(np.uint8) * np.ones((64, 1), np.uint8)
    if mode == "I;16":
        picture = Image.fromarray(grey.astype(np.uint16) * 257)
    else:
        picture = Image.fromarray(grey).convert("RGB").convert(mode)
    actual = read_picture(encoded(picture, "JPEG" if mode == "CMYK" else "PNG"))
    assert actual.shape == (32, 32, 3)
    assert actual.dtype == np.uint8
    assert actual[:, :12].min() > 240
    assert actual[:, 20:].max() < 15


def test_what_is_transparent_is_white():
    picture = Image.new("RGBA", (40, 40), (255, 0, 0, 0))
    picture.paste((0, 0, 255, 255), (0, 0, 20, 40))
    actual = read_picture(encoded(picture))
    assert actual[16, 4].tolist() == [0, 0, 255]
    assert actual[16, 28].tolist() == [255, 255, 255]


def test_the_square_in_the_middle():
    picture = Image.new("RGB", (96, 32), "red")
    picture.paste("lime", (32, 0, 64, 32))
    np.testing.assert_array_equal(
        read_picture(encoded(picture)), np.broadcast_to(np.uint8([0, 255, 0]), (32, 32, 3))
    )


def test_exif_turns_it_upright():
    sideways = Image.new("RGB", (32, 32), "black")
    sideways.paste("white", (0, 0, 32, 8))  # on top; 6 means: turn it to the right
    exif = Image.Exif()
    exif[0x0112] = 6
    actual = read_picture(encoded(sideways, "PNG", exif=exif))
    assert actual[:, -8:].min() == 255
    assert actual[:, :-8].max() == 0


def test_the_first_frame_of_an_animation():
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "blue")]
    content = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    assert read_picture(content)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (3000, 2)])
def test_any_size(size):
    assert read_picture(encoded(Image.new("RGB", size, "red"))).shape == (32, 32, 3)


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"GIF89a", encoded(Image.new("L", (9, 9)), "BMP")]
)
def test_no_picture(content):
    with pytest.raises(UserError, match="no PNG, JPEG, WEBP picture"):
        read_picture(content)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_a_truncated_file(kind, keep):
    noise = Image.fromarray(RNG.integers(0, 256, (200, 200, 3), np.uint8))
    content = encoded(noise, kind)
    with pytest.raises(UserError, match=r"broken|no PNG"):
        read_picture(content[: int(len(content) * keep)])


def test_a_huge_picture_is_not_decoded():
    content = encoded(Image.new("1", (15_000, 10_000)))
    with pytest.raises(UserError, match=r"15000×10000 pixels.* 100,000,000"):
        read_picture(content)


def test_a_decompression_bomb():
    with pytest.raises(UserError, match="too large"):
        read_picture(encoded(Image.new("1", (20_000, 20_000))))


def exif(*entries):
    """EXIF data with whole numbers (tag, value) or with words, as a camera would not write them."""
    fields = [
        struct.pack("<HHIHH", tag, 3, 1, value, 0)
        if isinstance(value, int)
        else struct.pack("<HHI4s", tag, 2, len(value), value)
        for tag, value in entries
    ]
    header = b"Exif\0\0II*\0" + struct.pack("<IH", 8, len(fields))
    return header + b"".join(fields) + struct.pack("<I", 0)


@pytest.mark.parametrize("tag", [0x0100, 0x0102, 0x0103, 0x011A, 0x0128])
@pytest.mark.parametrize("word", [b"", b"abc"])
def test_exif_data_that_make_no_sense(tag, word):
    sideways = Image.new("RGB", (32, 32), "black")
    sideways.paste("white", (0, 0, 32, 16))  # on top; 6 means: turn it to the right
    content = encoded(sideways, "JPEG", quality=95, exif=exif((tag, word), (0x0112, 6)))
    actual = read_picture(content)
    assert actual[:, 24:].min() > 200
    assert actual[:, :8].max() < 50


def test_a_huge_file(monkeypatch):
    monkeypatch.setattr(pictures, "MOST_BYTES", 5)
    with pytest.raises(UserError, match="larger than 5 bytes"):
        read_picture(b"123456")


def test_a_folder_stands_for_its_pictures(tmp_path):
    for name in ("b.png", "a.JPG", "c.webp", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "deeper.png").mkdir()
    expected = [str(tmp_path / name) for name in ("a.JPG", "b.png", "c.webp")]
    assert find_pictures(str(tmp_path)) == expected


@pytest.mark.parametrize("path", ["-", "x", "x" * 5000])
def test_anything_else_stands_for_itself(path):
    assert find_pictures(path) == [path]


def test_a_folder_without_pictures(tmp_path):
    with pytest.raises(UserError, match=r"no picture.* \.png"):
        find_pictures(str(tmp_path))


def test_suffixes_are_those_of_the_formats():
    Image.init()
    assert {Image.EXTENSION[suffix] for suffix in pictures.SUFFIXES} == set(pictures.FORMATS)
