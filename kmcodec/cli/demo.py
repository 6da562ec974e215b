"""`kmcodec demo`."""

from __future__ import annotations

import tempfile
from importlib.resources import files
from pathlib import Path

import click

from kmcodec.cli.help import Command
from kmcodec.cli.jobs import Failure

_COLORS = (4, 16, 64, 256)


@click.command(cls=Command, examples=[("See it work:", "kmcodec demo")])
def demo() -> None:
    """
    Encode sample pictures, decode them, and show size against quality.

    The samples come with kmcodec. Each is encoded at 4, 16, 64 and 256 colours into a temporary folder, read back and
    compared, pixel by pixel, with what was encoded. PNG-8 is the same palette and labels as Pillow writes them.
    """
    from rich.console import Console
    from rich.table import Table

    table = Table("picture", title="Size against quality")
    for heading in ("K", "PNG-8\nbytes", ".kmc\nbytes", ".kmc /\nPNG-8", "bits\nper px", "PSNR\ndB"):
        table.add_column(heading, justify="right")
    with tempfile.TemporaryDirectory(prefix="kmcodec-demo-") as folder:
        for sample in sorted(files("kmcodec.samples").iterdir(), key=lambda entry: entry.name):
            if sample.name.endswith(".png"):
                for row in _rows(sample.name.removesuffix(".png"), sample.read_bytes(), Path(folder)):
                    table.add_row(*row)
                table.add_section()
    Console().print(table)
    click.echo(f"{table.row_count} files written, and read back as exactly the pixels encoded.")


def _rows(name: str, data: bytes, folder: Path) -> list[tuple[str, ...]]:
    import kmcodec
    from kmcodec.images import load_image, save_image
    from kmcodec.metrics import bits_per_pixel, psnr_db
    from kmcodec.pixels import as_pixels

    pixels = as_pixels(load_image(data))
    rows: list[tuple[str, ...]] = []
    for colors in _COLORS:
        path = folder / f"{name}-{colors}.kmc"
        indexed = kmcodec.quantize(pixels, colors)
        kmcodec.write(path, indexed)
        decoded = kmcodec.read(path)
        if not (decoded == indexed.to_pixels()).all():
            raise Failure(f"{path.name} decodes to other pixels than were encoded: this is a bug in kmcodec")
        size, png_size = path.stat().st_size, len(save_image(indexed, ".png"))
        psnr = psnr_db(pixels, decoded)
        rows.append(
            (
                name if not rows else "",
                f"{len(indexed.palette)}",
                f"{png_size}",
                f"{size}",
                f"{size / png_size:.2f}",
                f"{bits_per_pixel(size, indexed.width * indexed.height):.2f}",
                "lossless" if psnr == float("inf") else f"{psnr:.1f}",
            )
        )
    return rows
