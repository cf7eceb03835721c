"""The header of a safetensors file, read without trusting it.

    8 bytes    length N of the header, unsigned, little-endian
    N bytes    a JSON object: tensor name → {"dtype", "shape", "data_offsets": [begin, end]}; it starts with `{`
    the rest   the tensors' bytes, one after the other, without holes

As strict as the format's own reader, and stricter where that one is silent: no duplicate keys, no more than 64
dimensions. Covered: every lie about lengths, offsets, shapes and dtypes. Not covered: the tensors' values (finiteness,
say), which only a reader of the whole file can judge.

Source: https://github.com/huggingface/safetensors, README "Format" and safetensors/src/tensor.rs.
"""

import json
import math
from collections.abc import Iterable
from typing import Any, BinaryIO, NamedTuple

MAX_HEADER_BYTES = 100_000_000
"""The format's own bound."""
MAX_DIMENSIONS = 64
"""As in torch."""
_MAX_SIZE = 1 << 62
_METADATA = "__metadata__"
_FIELDS = {"dtype", "shape", "data_offsets"}
BITS = {
    "BOOL": 8,
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "U8": 8,
    "I8": 8,
    "F8_E5M2": 8,
    "F8_E4M3": 8,
    "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8,
    "F8_E5M2FNUZ": 8,
    "I16": 16,
    "U16": 16,
    "F16": 16,
    "BF16": 16,
    "I32": 32,
    "U32": 32,
    "F32": 32,
    "C64": 64,
    "F64": 64,
    "I64": 64,
    "U64": 64,
}
"""Bits of one element, by dtype."""


class TensorInfo(NamedTuple):
    """What the header says of one tensor."""

    dtype: str
    """A key of `BITS`."""
    shape: tuple[int, ...]
    begin: int
    """Byte position in the file of its first byte."""
    end: int
    """Byte position in the file after its last byte."""

    @property
    def elements(self) -> int:
        return math.prod(self.shape)


def read_header(stream: BinaryIO, file_size: int, max_header_bytes: int = MAX_HEADER_BYTES) -> dict[str, TensorInfo]:
    """Tensors by name, in the order of their bytes; offsets count from the start of the file.

    Args:
        stream: at the file's start; only the header is read.
        file_size: bytes of the whole file.
        max_header_bytes: longer headers are refused before they are read.

    Raises:
        ValueError: the reason why the file cannot be what it says.
    """
    text = _header_text(stream, file_size, max_header_bytes)
    header = _parse(text)
    _check_metadata(header.pop(_METADATA, {}))
    data = 8 + len(text)
    tensors = {name: _tensor(name, entry, data) for name, entry in header.items()}
    _check_layout(tensors, data, file_size)
    return dict(sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].end)))


def _header_text(stream: BinaryIO, file_size: int, max_header_bytes: int) -> bytes:
    prefix = stream.read(8)
    if len(prefix) < 8:
        raise ValueError(f"it has {len(prefix)} bytes; the header's length alone takes 8")
    length = int.from_bytes(prefix, "little")
    if length > max_header_bytes:
        raise ValueError(f"its header claims {length} bytes; at most {max_header_bytes} are allowed")
    if 8 + length > file_size:
        raise ValueError(f"its header claims {length} bytes, but the file has {file_size}")
    text = stream.read(length)
    if len(text) < length:
        raise ValueError(f"it ends within its header, after {len(text)} of {length} bytes")
    if not text.startswith(b"{"):
        raise ValueError("its header does not start with '{'")
    return text


def _parse(text: bytes) -> dict[str, Any]:
    try:
        header: dict[str, Any] = json.loads(
            text.decode(), object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_no_float
        )
    except RecursionError as e:
        raise ValueError("its header is nested too deeply") from e
    except UnicodeDecodeError as e:
        raise ValueError(f"its header is not UTF-8 (byte {e.start})") from e
    except json.JSONDecodeError as e:
        raise ValueError(f"its header is not JSON: {e}") from e
    return header


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        name = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"its header names {name[:200]!r} twice")
    return found


def _no_constant(word: str) -> Any:
    raise ValueError(f"its header holds {word}, which is not JSON")


def _no_float(number: str) -> Any:
    raise ValueError(f"its header holds {number[:40]}, which is not a whole number")


def _check_metadata(metadata: Any) -> None:
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError(f"{_METADATA} is not an object of strings")


def _tensor(name: str, entry: Any, data: int) -> TensorInfo:
    label = f"tensor {name[:200]!r}"
    if not isinstance(entry, dict) or entry.keys() != _FIELDS:
        raise ValueError(f"{label} is not an object of exactly dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BITS:
        raise ValueError(f"{label} has the unknown dtype {str(dtype)[:40]!r}")
    if not _are_sizes(shape) or len(shape) > MAX_DIMENSIONS:
        raise ValueError(f"{label} has no valid shape: at most {MAX_DIMENSIONS} whole numbers from 0 on")
    if not _are_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise ValueError(f"{label} has no valid data_offsets: two whole numbers, the first not above the second")
    bits = math.prod(shape) * BITS[dtype]
    if bits != (offsets[1] - offsets[0]) * 8:
        raise ValueError(f"{label} spans {offsets[1] - offsets[0]} bytes; its dtype and shape take {bits / 8:g}")
    return TensorInfo(dtype, tuple(shape), data + offsets[0], data + offsets[1])


def _are_sizes(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and 0 <= value < _MAX_SIZE for value in values)


def _check_layout(tensors: dict[str, TensorInfo], data: int, file_size: int) -> None:
    position = data
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].end)):
        if tensor.begin != position:
            fault = "overlaps the one before it" if tensor.begin < position else "leaves a hole before it"
            raise ValueError(f"tensor {name[:200]!r} {fault}")
        position = tensor.end
    if position != file_size:
        fault = "run past the file's end" if position > file_size else "leave bytes at the file's end that no one names"
        raise ValueError(f"the tensors {fault} ({position} of {file_size} bytes)")


def parameters(tensors: Iterable[TensorInfo]) -> int:
    """Elements of all tensors together."""
    return sum(tensor.elements for tensor in tensors)
