"""
Bounded zstd (spec §2.5): the only place that touches the zstandard package.

Data is stored as it is, or as one zstd frame without its magic number where that is smaller. The reader knows the size
that must come out, so the length of what is stored tells which of the two it is. Nothing is allocated before the size
the frame claims has been compared with the size expected: zstandard itself takes the frame's word for it, even
against `max_output_size`.
"""

from __future__ import annotations

import zstandard

from kmcodec.errors import FormatError, in_bytes

_MAGICLESS = zstandard.FORMAT_ZSTD1_MAGICLESS

_MOST_WINDOW = 1 << 27
"""Of stored data: what zstd's decoders take by default."""

_SINGLE_SEGMENT = 0x20
_FORBIDDEN = 0x1F  # dictionary, checksum, and two bits without meaning

_RLE_BLOCK = 1

_WINDOW = 1 << 20
_FRAME_HEADER = b"\x00\x50"
"""Of frames without content size, checksum and dictionary, and with a window of 1 MiB: always the same, not stored."""

_LITERALS = {"strategy": zstandard.STRATEGY_FAST, "min_match": 7, "hash_log": 6, "window_log": 17}
_MATCHES = {
    "strategy": zstandard.STRATEGY_BTULTRA2,
    "min_match": 3,
    "window_log": 20,
    "hash_log": 17,
    "chain_log": 18,
    "search_log": 7,
    "target_length": 128,
}


def store(data: bytes, *, level: int, min_match: int = 0) -> bytes:
    """
    The smallest form of some data: itself, or a zstd frame without its magic number.

    Args:
        data: Any bytes.
        level: zstd's compression level, 1 to 22.
        min_match: Shortest repetition that may be used, in bytes, where the level would use shorter ones.
    """
    own = zstandard.ZstdCompressionParameters.from_level(level, source_size=len(data))
    parameters = zstandard.ZstdCompressionParameters.from_level(
        level,
        source_size=len(data),
        min_match=max(own.min_match, min_match),
        format=_MAGICLESS,
        write_content_size=True,
        write_checksum=False,
        write_dict_id=False,
    )
    frame = zstandard.ZstdCompressor(compression_params=parameters).compress(data)
    return frame if len(frame) < len(data) else data


def compress_symbols(data: bytes, *, matches: bool) -> bytes:
    """
    Entropy-code symbols of a skewed alphabet, with as little framing as zstd allows.

    Args:
        data: One symbol a byte.
        matches: Whether to try repetitions too. In flag streams of uneven confidence there are none, and those that
            zstd's usual levels find by chance cost 3 %.

    Returns:
        The blocks of one frame, without its header.
    """
    frames = [_compress_headerless(data, _LITERALS)]
    if matches:
        frames.append(_compress_headerless(data, _MATCHES))
    return min(frames, key=len)[len(_FRAME_HEADER) :]


def expand_symbols(blocks: bytes, limit: int) -> bytes:
    """
    The inverse of `compress_symbols`.

    Raises:
        FormatError: The blocks are damaged, or hold more than `limit` bytes.
    """
    if _end_of_blocks(blocks) != len(blocks):
        raise FormatError("its zstd blocks are damaged: the last ends elsewhere than the stream")
    decompressor = zstandard.ZstdDecompressor(format=_MAGICLESS, max_window_size=_WINDOW)
    try:
        return decompressor.decompress(_FRAME_HEADER + blocks, max_output_size=limit)
    except zstandard.ZstdError as error:
        raise FormatError(f"its zstd blocks are damaged, or hold too much ({error})") from None


def _end_of_blocks(blocks: bytes) -> int:
    """
    Where the last block ends (RFC 8878, 3.1.1.2; spec §8.2).

    zstandard's `allow_extra_data=False` lets bytes after a frame pass where less comes out than is allowed to.
    """
    position, last = 0, False
    while not last:
        header = int.from_bytes(blocks[position : position + 3], "little")
        last = bool(header & 1) or position >= len(blocks)
        position += 3 + (1 if header >> 1 & 3 == _RLE_BLOCK else header >> 3)
    return position


def _compress_headerless(data: bytes, options: dict[str, int]) -> bytes:
    parameters = zstandard.ZstdCompressionParameters(
        format=_MAGICLESS, write_content_size=False, write_checksum=False, **options
    )
    return zstandard.ZstdCompressor(compression_params=parameters).compress(data)


def unstore(stored: bytes, size: int, *, what: str) -> bytes:
    """
    The inverse of `store`.

    Args:
        stored: Result of `store`.
        size: Bytes that must come out.
        what: What it is, for the message of an error.

    Raises:
        FormatError: These bytes do not hold exactly `size` bytes.
    """
    if len(stored) == size:
        return stored
    if len(stored) > size:
        raise FormatError(f"{what}: stored in {len(stored)} bytes, more than the {size} it holds")
    try:
        _check_frame(stored, size, what)
        # zstandard's contexts are not safe to share between threads; a new one costs a microsecond
        return zstandard.ZstdDecompressor(format=_MAGICLESS).decompress(stored, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise FormatError(f"{what}: its zstd frame is damaged ({error})") from None


def _check_frame(frame: bytes, size: int, what: str) -> None:
    """The rules of spec §2.5 that zstd does not know."""
    parameters = zstandard.get_frame_parameters(frame, format=_MAGICLESS)
    if frame[0] & _FORBIDDEN:
        raise FormatError(f"{what}: its zstd frame has a dictionary, a checksum or unknown bits ({frame[0]:#04x})")
    if parameters.content_size != size:
        raise FormatError(f"{what}: its zstd frame must hold {in_bytes(size)}, but claims {parameters.content_size}")
    if not frame[0] & _SINGLE_SEGMENT and parameters.window_size > _MOST_WINDOW:
        raise FormatError(f"{what}: its zstd frame needs a window of {parameters.window_size} bytes")
