"""Photos."""

# A row is a line, so that the table can be read as one.
# ruff: noqa: E501

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, TiffImagePlugin

from mmlabelpenet.apis.images import list_images
from mmlabelpenet.datasets import LoadImageFromFile, TagFileDataset
from mmlabelpenet.proposals import Job, run_job
from mmlabelpenet.utils import image_size

from .table import BadInput, run_tool


def encoded(
    kind: str = 'JPEG', size: tuple[int, int] = (30, 20), mode: str = 'RGB', **options: Any
) -> bytes:
    """The file of a photo of random pixels."""
    stream = io.BytesIO()
    channels = len(Image.new(mode, (1, 1)).getbands())
    pixels = np.random.default_rng(0).integers(
        0, 256, (size[1], size[0], channels), dtype=np.uint8
    )
    Image.fromarray(pixels.squeeze(2) if channels == 1 else pixels).save(stream, kind, **options)
    return stream.getvalue()


def changed(data: bytes, start: int, new: bytes) -> bytes:
    """A file in which some bytes are replaced."""
    return data[:start] + new + data[start + len(new) :]


def png_of(width: int, height: int) -> bytes:
    """A PNG whose header says a size, with one row of pixels."""
    header = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    parts = [(b'IHDR', header), (b'IDAT', zlib.compress(bytes(3 * width + 1))), (b'IEND', b'')]
    chunks = (
        struct.pack('>I', len(body)) + name + body + struct.pack('>I', zlib.crc32(name + body))
        for name, body in parts
    )
    return b'\x89PNG\r\n\x1a\n' + b''.join(chunks)


def tiff_of(pixels: np.ndarray) -> bytes:
    """A TIFF of these pixels."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, 'TIFF')
    return stream.getvalue()


def tiff_with(pixels: np.ndarray, tags: dict[int, int]) -> bytes:
    """A TIFF of these pixels with other values of tags."""
    stream, info = io.BytesIO(), TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in tags.items():
        info.tagtype[tag], info[tag] = 3, value
    Image.fromarray(pixels).save(stream, 'TIFF', tiffinfo=info)
    return stream.getvalue()


def patched(data: bytes, tag: int, value: int) -> bytes:
    """A TIFF in which a tag of one short has another value."""
    place = data.index(struct.pack('<HHI', tag, 3, 1))
    return changed(data, place + 8, struct.pack('<H', value))


def png16(highest: int, channels: int = 1) -> bytes:
    """A PNG of 16 bits per channel."""
    values = np.linspace(0, highest, 20 * 30 * channels).astype(np.uint16)
    return cv2.imencode('.png', values.reshape(20, 30, channels))[1].tobytes()


def tiff16() -> bytes:
    """A TIFF of three channels of 16 bits."""
    return cv2.imencode('.tiff', np.full((20, 30, 3), 40000, np.uint16))[1].tobytes()


def photo(data: bytes | Callable[[], bytes], name: str = 'a.jpg') -> Callable[[Path], Any]:
    """Read a photo with this content as training does."""

    def run(root: Path) -> Any:
        (root / name).write_bytes(data if isinstance(data, bytes) else data())
        return LoadImageFromFile()({'img_path': str(root / name)})['img'].shape

    return run


def made(
    make: Callable[[Path], Any], use: Callable[[Path], Any] | None = None
) -> Callable[[Path], Any]:
    """Read what is made at a path."""

    def run(root: Path) -> Any:
        make(root / 'a.jpg')
        return (use or (lambda path: LoadImageFromFile()({'img_path': str(path)})))(root / 'a.jpg')

    return run


def proposals_of(path: Path) -> Any:
    """Make proposals of one photo."""
    return run_job(Job(str(path), path.parent / 'a.npz'), {'quality': 'fast', 'max_num': None})


def folder_of(*names: str) -> Callable[[Path], Any]:
    """Make proposals of a folder with these photos."""

    def run(root: Path) -> Any:
        (root / 'photos').mkdir()
        for name in names:
            (root / 'photos' / name).write_bytes(encoded())
        return run_tool(
            'proposals/make_proposals', root / 'photos', '--out', root / 'out', '--workers', 1
        )

    return run


def transparent(alpha: int) -> bytes:
    """A PNG of one transparency."""
    stream = io.BytesIO()
    Image.new('RGBA', (30, 20), (200, 9, 9, alpha)).save(stream, 'PNG')
    return stream.getvalue()


def twice(root: Path) -> Any:
    """Two photos that differ only in their suffix."""
    for name in ('a.jpg', 'a.png'):
        (root / name).write_bytes(encoded())
    (root / 'tags.csv').write_text('a.jpg,dog\na.png,cat\n')
    return TagFileDataset(data_root=str(root), tag_file='tags.csv')


# fmt: off
ROWS = [
    BadInput('an empty file', photo(b''), 'The photo {root}/a.jpg is damaged or no photo (an empty file, or one of zeros: copy it again): replace it, remove it, or name it in a skip list.'),
    BadInput('a text file', photo(b'dog;person\n'), 'The photo {root}/a.jpg is damaged or no photo (unknown format): replace it, remove it, or name it in a skip list.'),
    BadInput('a page of the web instead of a photo', photo(b'<!DOCTYPE html><html><body>404</body></html>'), 'The photo {root}/a.jpg is damaged or no photo (a web page: download the photo itself): replace it, remove it, or name it in a skip list.'),
    BadInput('a pointer of Git LFS instead of a photo', photo(b'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n'), 'The photo {root}/a.jpg is damaged or no photo (a pointer of Git LFS: run `git lfs pull`): replace it, remove it, or name it in a skip list.'),
    BadInput('a JPEG cut in half', photo(encoded()[:500]), 'The photo {root}/a.jpg is damaged or no photo (truncated or damaged data): replace it, remove it, or name it in a skip list.'),
    BadInput('a JPEG without its last two bytes', photo(encoded()[:-2]), 'The photo {root}/a.jpg is damaged or no photo (truncated or damaged data): replace it, remove it, or name it in a skip list.'),
    BadInput('a JPEG of its header only', photo(encoded()[:20]), 'The photo {root}/a.jpg is damaged or no photo (unknown format): replace it, remove it, or name it in a skip list.'),
    BadInput('a PNG cut in half', photo(encoded('PNG')[:900], 'a.png'), 'The photo {root}/a.png is damaged or no photo (truncated or damaged data): replace it, remove it, or name it in a skip list.'),
    BadInput('a PNG with a damaged byte', photo(changed(encoded('PNG'), 200, b'\0\0\0\0'), 'a.png'), 'The photo {root}/a.png is damaged or no photo (truncated or damaged data): replace it, remove it, or name it in a skip list.'),
    BadInput('a WebP cut in half', photo(encoded('WEBP')[:200], 'a.webp'), 'The photo {root}/a.webp is damaged or no photo (truncated or damaged data): replace it, remove it, or name it in a skip list.'),
    BadInput('a BMP cut in half', photo(encoded('BMP')[:900], 'a.bmp'), 'The photo {root}/a.bmp is damaged or no photo (truncated or damaged data): replace it, remove it, or name it in a skip list.'),
    BadInput('a TIFF cut in half', photo(encoded('TIFF')[:900], 'a.tif'), 'The photo {root}/a.tif is damaged or no photo (truncated or damaged data): replace it, remove it, or name it in a skip list.'),
    BadInput('a GIF cut in half', photo(encoded('GIF', mode='L')[:300], 'a.gif'), 'The photo {root}/a.gif is damaged or no photo (unknown format): replace it, remove it, or name it in a skip list.'),
    BadInput('a truncated PNG named .jpg', photo(encoded('PNG')[:900]), 'The photo {root}/a.jpg is damaged or no photo (truncated or damaged data): replace it, remove it, or name it in a skip list.'),
    BadInput('floating-point pixels', photo(tiff_of(np.ones((4, 5), np.float32)), 'a.tif'), 'The photo {root}/a.tif is damaged or no photo (floating-point pixels of unknown range): replace it, remove it, or name it in a skip list.'),
    BadInput('pixels of 32 bits', photo(tiff_of(np.full((4, 5), 1 << 20, np.int32)), 'a.tif'), 'The photo {root}/a.tif is damaged or no photo (more than 16 bits per pixel): replace it, remove it, or name it in a skip list.'),
    BadInput('negative pixels', photo(tiff_of(np.full((4, 5), -3, np.int32)), 'a.tif'), 'The photo {root}/a.tif is damaged or no photo (more than 16 bits per pixel): replace it, remove it, or name it in a skip list.'),
    BadInput('a drawing in PostScript', photo(b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n', 'a.eps'), 'The photo {root}/a.eps is damaged or no photo (EPS is a drawing): replace it, remove it, or name it in a skip list.'),
    BadInput('a drawing in SVG', photo(b'<svg xmlns="http://www.w3.org/2000/svg"/>', 'a.svg'), 'The photo {root}/a.svg is damaged or no photo (unknown format): replace it, remove it, or name it in a skip list.'),
    BadInput('a PDF', photo(b'%PDF-1.7\n', 'a.pdf'), 'The photo {root}/a.pdf is damaged or no photo (unknown format): replace it, remove it, or name it in a skip list.'),
    BadInput('an archive', photo(b'PK\x03\x04' + bytes(40)), 'The photo {root}/a.jpg is damaged or no photo (unknown format): replace it, remove it, or name it in a skip list.'),
    BadInput('a photo of 200 megapixels', photo(png_of(20000, 10000), 'a.png'), 'The photo {root}/a.png has more than 179 megapixels: make it smaller, or name it in a skip list.'),
    BadInput('a photo of 4 gigapixels', photo(png_of(65535, 65535), 'a.png'), 'The photo {root}/a.png has more than 179 megapixels: make it smaller, or name it in a skip list.'),
    BadInput('a photo of 3000 x 1 pixels', photo(encoded(size=(3000, 1))), 'The photo {root}/a.jpg has 3000 x 1 pixels, one side more than 100 times the other: crop it, or name it in a skip list.'),
    BadInput('a photo of 1 x 3000 pixels', photo(encoded(size=(1, 3000))), 'The photo {root}/a.jpg has 1 x 3000 pixels, one side more than 100 times the other: crop it, or name it in a skip list.'),
    BadInput('a photo of 0 pixels', photo(png_of(0, 0), 'a.png'), 'The photo {root}/a.png is damaged or no photo (unknown format): replace it, remove it, or name it in a skip list.'),
    BadInput('a missing photo', made(lambda path: None), 'The photo {root}/a.jpg cannot be read (No such file or directory): restore it, or name it in a skip list.'),
    BadInput('a folder named .jpg', made(Path.mkdir), 'The photo {root}/a.jpg cannot be read (not a regular file): restore it, or name it in a skip list.'),
    BadInput('a broken link', made(lambda path: path.symlink_to('nowhere.jpg')), 'The photo {root}/a.jpg cannot be read (No such file or directory): restore it, or name it in a skip list.'),
    BadInput('a link to itself', made(lambda path: path.symlink_to('a.jpg')), 'The photo {root}/a.jpg cannot be read (Too many levels of symbolic links): restore it, or name it in a skip list.'),
    BadInput('a pipe', made(os.mkfifo), 'The photo {root}/a.jpg cannot be read (not a regular file): restore it, or name it in a skip list.'),
    BadInput('a device', made(lambda path: path.symlink_to('/dev/zero')), 'The photo {root}/a.jpg cannot be read (not a regular file): restore it, or name it in a skip list.'),
    BadInput('proposals of a pipe', made(os.mkfifo, proposals_of), 'The photo {root}/a.jpg cannot be read (not a regular file): restore it, or name it in a skip list.'),
    BadInput('proposals of a truncated photo', made(lambda path: path.write_bytes(encoded()[:500]), proposals_of), 'The photo {root}/a.jpg is damaged or no photo (truncated or damaged data): replace it, remove it, or name it in a skip list.'),
    BadInput('proposals of a photo of 3000 x 1 pixels', made(lambda path: path.write_bytes(encoded(size=(3000, 1))), proposals_of), 'The photo {root}/a.jpg has 3000 x 1 pixels, one side more than 100 times the other: crop it, or name it in a skip list.'),
    BadInput('the size of an empty file', made(Path.touch, image_size), 'The photo {root}/a.jpg is damaged or no photo (an empty file, or one of zeros: copy it again): replace it, remove it, or name it in a skip list.'),
    BadInput('the size of a pipe', made(os.mkfifo, image_size), 'The photo {root}/a.jpg cannot be read (not a regular file): restore it, or name it in a skip list.'),
    BadInput('the size of a photo of 200 megapixels', made(lambda path: path.write_bytes(png_of(20000, 10000)), image_size), 'The photo {root}/a.jpg has more than 179 megapixels: make it smaller, or name it in a skip list.'),
    BadInput('a folder without photos', folder_of('notes.txt'), '{root}/photos contains no photos (.jpg, .jpeg, .jpe, .jfif, .png, .bmp, .webp, .tif, .tiff; sub-folders are not searched): name another folder.'),
    BadInput('a folder of photos that differ only in their suffix', folder_of('a.jpg', 'a.png'), '{root}/photos has photos that differ only in their suffix, and their proposals would have the same name: rename them.'),
    BadInput('two photos of a data set that differ only in their suffix', twice, 'tags.csv has 2 photos a that differ only in their suffix: rename all but one.'),
    BadInput('a folder that holds no photos, to predict', lambda root: list_images(root), '{root} contains no photos (.jpg, .jpeg, .jpe, .jfif, .png, .bmp, .webp, .tif, .tiff; sub-folders are not searched): name another folder.'),
    BadInput('a photo that is missing, to predict', lambda root: list_images(root / 'a.jpg'), 'There is no photo and no folder at {root}/a.jpg: fix the path.'),
    BadInput('an array of 3000 x 1 pixels, to predict', lambda root: list_images(np.zeros((1, 3000, 3), np.uint8)), 'The photo given as an array has 3000 x 1 pixels, one side more than 100 times the other: crop it, or name it in a skip list.'),
    BadInput('an array of floating-point pixels, to predict', lambda root: list_images(np.zeros((9, 8, 3), np.float32)), 'An array of shape [9, 8, 3] and type float32 is no photo: give [height, width, 3] of uint8, in the order blue, green, red.'),
    BadInput('an array of four channels, to predict', lambda root: list_images(np.zeros((9, 8, 4), np.uint8)), 'An array of shape [9, 8, 4] and type uint8 is no photo: give [height, width, 3] of uint8, in the order blue, green, red.'),
    BadInput('an empty array, to predict', lambda root: list_images(np.zeros((0, 8, 3), np.uint8)), 'An array of shape [0, 8, 3] and type uint8 is no photo: give [height, width, 3] of uint8, in the order blue, green, red.'),
    BadInput('zeros instead of 512 bytes in the middle of a JPEG', photo(lambda: changed(encoded(size=(90, 60)), 3000, bytes(512))), 'The photo {root}/a.jpg is damaged or no photo (zeros within its data): replace it, remove it, or name it in a skip list.'),
    BadInput('zeros instead of 4000 bytes in the middle of a JPEG with its own tables', photo(lambda: changed(encoded(size=(90, 60), optimize=True), 1000, bytes(4000))), 'The photo {root}/a.jpg is damaged or no photo (zeros within its data): replace it, remove it, or name it in a skip list.'),
    BadInput('a HEIC photo of a phone', photo(b'\0\0\0\x18ftypheic' + bytes(200), 'a.heic'), 'The photo {root}/a.heic is damaged or no photo (HEIC or AVIF: convert it to JPEG): replace it, remove it, or name it in a skip list.'),
    BadInput('a HEIC photo named .jpg', photo(b'\0\0\0\x24ftypmif1' + bytes(200)), 'The photo {root}/a.jpg is damaged or no photo (HEIC or AVIF: convert it to JPEG): replace it, remove it, or name it in a skip list.'),
    BadInput('a video named .jpg', photo(b'\0\0\0\x18ftypmp42' + bytes(200)), 'The photo {root}/a.jpg is damaged or no photo (a video: save its frames): replace it, remove it, or name it in a skip list.'),
    BadInput('a web page in capitals', photo(b'\r\n<HTML><body>404</body></HTML>'), 'The photo {root}/a.jpg is damaged or no photo (a web page: download the photo itself): replace it, remove it, or name it in a skip list.'),
    BadInput('an error in XML instead of a photo', photo(b'<?xml version="1.0"?><Error>AccessDenied</Error>'), 'The photo {root}/a.jpg is damaged or no photo (a text: download the photo itself): replace it, remove it, or name it in a skip list.'),
    BadInput('an error in JSON instead of a photo', photo(b'{"error": "not found"}'), 'The photo {root}/a.jpg is damaged or no photo (a text: download the photo itself): replace it, remove it, or name it in a skip list.'),
    BadInput('12 bits in a PNG of 16', photo(png16(4095), 'a.png'), 'The photo {root}/a.png is damaged or no photo (its 16 bits hold values of fewer bits, which would be black: convert it to 8 bits): replace it, remove it, or name it in a skip list.'),
    BadInput('small values in a TIFF of 16 bits', photo(tiff_of(np.full((4, 5), 200, np.uint16)), 'a.tif'), 'The photo {root}/a.tif is damaged or no photo (its 16 bits hold values of fewer bits, which would be black: convert it to 8 bits): replace it, remove it, or name it in a skip list.'),
    BadInput('small values in a TIFF of 32 bits', photo(tiff_of(np.full((4, 5), 200, np.int32)), 'a.tif'), 'The photo {root}/a.tif is damaged or no photo (its 16 bits hold values of fewer bits, which would be black: convert it to 8 bits): replace it, remove it, or name it in a skip list.'),
    BadInput('12 bits in a colour PNG of 16', photo(png16(4095, 3), 'a.png'), 'The photo {root}/a.png is damaged or no photo (its 16 bits hold values of fewer bits, which would be black: convert it to 8 bits): replace it, remove it, or name it in a skip list.'),
    BadInput('an address instead of a photo, to predict', lambda root: list_images('https://example.com/a.jpg'), 'https://example.com/a.jpg is not on this machine: download it, and name the file.'),
    BadInput("a preview in a camera's raw file", photo(tiff_with(np.zeros((4, 5, 3), np.uint8), {254: 1}), 'a.nef'), "The photo {root}/a.nef is damaged or no photo (a camera's raw file: develop it to JPEG): replace it, remove it, or name it in a skip list."),
    BadInput('a raw file DNG', photo(tiff_with(np.zeros((4, 5, 3), np.uint8), {50706: 1}), 'a.dng'), "The photo {root}/a.dng is damaged or no photo (a camera's raw file: develop it to JPEG): replace it, remove it, or name it in a skip list."),
    BadInput('a raw file CR2', photo(changed(encoded('TIFF'), 8, b'CR'), 'a.cr2'), "The photo {root}/a.cr2 is damaged or no photo (a camera's raw file: develop it to JPEG): replace it, remove it, or name it in a skip list."),
    BadInput('a raw file CR3', photo(b'\0\0\0\x18ftypcrx ' + bytes(200), 'a.cr3'), "The photo {root}/a.cr3 is damaged or no photo (a camera's raw file: develop it to JPEG): replace it, remove it, or name it in a skip list."),
    BadInput('a raw file RAF', photo(b'FUJIFILMCCD-RAW 0201' + bytes(200), 'a.raf'), "The photo {root}/a.raf is damaged or no photo (a camera's raw file: develop it to JPEG): replace it, remove it, or name it in a skip list."),
    BadInput('a raw file RW2', photo(b'IIU\0\x18\0\0\0' + bytes(200), 'a.rw2'), "The photo {root}/a.rw2 is damaged or no photo (a camera's raw file: develop it to JPEG): replace it, remove it, or name it in a skip list."),
    BadInput('a raw file ORF', photo(b'IIRO\x08\0\0\0' + bytes(200), 'a.orf'), "The photo {root}/a.orf is damaged or no photo (a camera's raw file: develop it to JPEG): replace it, remove it, or name it in a skip list."),
    BadInput('a TIFF of another kind, such as of a raw file', photo(patched(encoded('TIFF'), 262, 32803), 'a.nef'), "The photo {root}/a.nef is damaged or no photo (a damaged TIFF, one of fractions, 32 bits or unnamed bands, or a camera's raw file: save it as JPEG): replace it, remove it, or name it in a skip list."),
    BadInput('16 bits of which 0 is white', photo(patched(tiff_of(np.full((4, 5), 40000, np.uint16)), 262, 0), 'a.tif'), 'The photo {root}/a.tif is damaged or no photo (16 bits of which 0 is white: convert it to 8 bits): replace it, remove it, or name it in a skip list.'),
    BadInput('signed values of 8 bits', photo(tiff_with(np.zeros((4, 5), np.uint8), {339: 2}), 'a.tif'), 'The photo {root}/a.tif is damaged or no photo (signed values: convert it to 8 bits without sign): replace it, remove it, or name it in a skip list.'),
    BadInput('the companion file of a photo from macOS', photo(b'\0\x05\x16\x07\0\x02\0\0Mac OS X', '._a.jpg'), 'The photo {root}/._a.jpg is damaged or no photo (a companion file of macOS: remove it): replace it, remove it, or name it in a skip list.'),
    BadInput('zeros instead of 2000 bytes in a progressive JPEG', photo(lambda: changed(encoded(size=(90, 60), progressive=True, quality=95), 2750, bytes(2000))), 'The photo {root}/a.jpg is damaged or no photo (zeros within its data): replace it, remove it, or name it in a skip list.'),
    BadInput('a photo that is transparent everywhere', photo(lambda: transparent(0), 'a.png'), 'The photo {root}/a.png is damaged or no photo (it is transparent everywhere: remove its alpha channel): replace it, remove it, or name it in a skip list.'),
    BadInput('an alpha channel from 0 to 1', photo(lambda: transparent(1), 'a.png'), 'The photo {root}/a.png is damaged or no photo (it is transparent everywhere: remove its alpha channel): replace it, remove it, or name it in a skip list.'),
    BadInput('a file of zeros', photo(bytes(5000)), 'The photo {root}/a.jpg is damaged or no photo (an empty file, or one of zeros: copy it again): replace it, remove it, or name it in a skip list.'),
    BadInput('a folder of HEIC photos', folder_of('a.heic'), '{root}/photos contains no photos (.jpg, .jpeg, .jpe, .jfif, .png, .bmp, .webp, .tif, .tiff; sub-folders are not searched), only a.heic: convert it to JPEG, or name another folder.'),
    BadInput('planes of 16 bits', photo(lambda: patched(tiff16(), 284, 2), 'a.tif'), 'The photo {root}/a.tif is damaged or no photo (planes of 16 bits: convert it to 8 bits): replace it, remove it, or name it in a skip list.'),
]
# fmt: on
