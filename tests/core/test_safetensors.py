"""The safetensors header, against honest files, lying ones and noise."""

import io
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.safetensors import BITS, TensorInfo, parameters, read_header

F32 = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def file_of(header: Any, data: bytes = b"", claimed: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if claimed is None else claimed) + text + data


def read(content: bytes) -> dict[str, TensorInfo]:
    return read_header(io.BytesIO(content), len(content))


def test_tensors_come_in_the_order_of_their_bytes() -> None:
    header = {
        "__metadata__": {"format": "pt"},
        "b": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [8, 20]},
        "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
        "scalar": {"dtype": "I64", "shape": [], "data_offsets": [20, 28]},
        "none": {"dtype": "F16", "shape": [0, 7], "data_offsets": [20, 20]},
        "half bytes": {"dtype": "F4", "shape": [4], "data_offsets": [28, 30]},
    }
    content = file_of(header, bytes(30))
    start = len(content) - 30
    tensors = read(content)
    assert list(tensors) == ["a", "b", "none", "scalar", "half bytes"]
    assert tensors["b"] == TensorInfo("BF16", (2, 3), start + 8, start + 20)
    assert parameters(tensors.values()) == 2 + 6 + 0 + 1 + 4


def test_a_file_without_tensors_and_one_with_padding_are_sound() -> None:
    assert read(file_of({})) == {}
    assert list(read(file_of(json.dumps({"a": F32}).encode() + b"   ", bytes(8)))) == ["a"]


LIES = {
    "takes 8": b"\x01\x02",
    "claims 100000001 bytes": file_of({}, claimed=100_000_001),
    "claims 18446744073709551615 bytes": file_of({}, claimed=2**64 - 1),
    "but the file has": file_of({}, claimed=500),
    "does not start": file_of(b" {}"),
    "not JSON: Expecting": file_of(b"{"),
    "not UTF-8": file_of(b'{"\xff": 1}'),
    "nested too deeply": file_of(b'{"a":' + b"[" * 200_000),
    "names 'a' twice": file_of(b'{"a": %s, "a": %s}' % ((json.dumps(F32).encode(),) * 2), bytes(8)),
    "names 'dtype' twice": file_of(b'{"a": {"dtype": "F32", "dtype": "F16"}}'),
    "NaN": file_of(b'{"a": NaN}'),
    "not a whole number": file_of(b'{"a": {"dtype": "F32", "shape": [2.0], "data_offsets": [0, 8]}}', bytes(8)),
    "__metadata__ is not": file_of({"__metadata__": {"epoch": 1}}),
    "exactly dtype": file_of({"a": F32 | {"file": "/etc/passwd"}}, bytes(8)),
    "'a' is not an object": file_of({"a": [1]}),
    "unknown dtype 'F31'": file_of({"a": F32 | {"dtype": "F31"}}, bytes(8)),
    "unknown dtype": file_of({"a": F32 | {"dtype": ["F32"]}}, bytes(8)),
    "no valid shape": file_of({"a": F32 | {"shape": [-2]}}, bytes(8)),
    "no valid shape: at most": file_of({"a": F32 | {"shape": [2] + [1] * 64}}, bytes(8)),
    "valid shape": file_of({"a": F32 | {"shape": [True, 2]}}, bytes(8)),
    "no valid data_offsets": file_of({"a": F32 | {"data_offsets": [8, 0]}}, bytes(8)),
    "valid data_offsets": file_of({"a": F32 | {"data_offsets": [0, 8, 8]}}, bytes(8)),
    "its dtype and shape take": file_of({"a": F32 | {"shape": [2**61, 2**61]}}, bytes(8)),
    "shape take 1.5": file_of({"a": {"dtype": "F4", "shape": [3], "data_offsets": [0, 1]}}, bytes(1)),
    "overlaps": file_of({"a": F32, "b": F32 | {"data_offsets": [4, 12]}}, bytes(12)),
    "'b' overlaps": file_of({"a": F32, "b": F32}, bytes(8)),
    "leaves a hole": file_of({"a": F32 | {"data_offsets": [1, 9]}}, bytes(9)),
    "run past the file's end": file_of({"a": F32}, bytes(7)),
    "leave bytes at the file's end": file_of({"a": F32}, bytes(9)),
}


@pytest.mark.parametrize("reason", LIES)
def test_a_lying_header_is_refused_with_its_reason(reason: str) -> None:
    with pytest.raises(ValueError, match=reason.replace("[", r"\[")):
        read(LIES[reason])


def test_a_header_longer_than_allowed_is_refused_unread() -> None:
    class Unreadable(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            assert size == 8, "the header was read"
            return super().read(size)

    content = file_of({"a": F32}, bytes(8))
    with pytest.raises(ValueError, match="at most 10 are allowed"):
        read_header(Unreadable(content), len(content), max_header_bytes=10)


def test_a_file_that_shrinks_while_it_is_read_is_refused() -> None:
    content = file_of({"a": F32}, bytes(8))
    with pytest.raises(ValueError, match="ends within its header"):
        read_header(io.BytesIO(content[:20]), len(content))


@given(st.binary(max_size=200))
def test_noise_is_refused_and_nothing_worse(noise: bytes) -> None:
    with pytest.raises(ValueError):
        read(b"\xff" + noise)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(sorted(BITS)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["dtype", "shape", "data_offsets", "__metadata__", "a"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=3), json_values, max_size=4), st.integers(0, 20))
def test_what_is_accepted_fills_the_file_exactly(header: dict[str, Any], size: int) -> None:
    content = file_of(header, bytes(size))
    try:
        tensors = read(content)
    except ValueError:
        return
    assert sum(tensor.end - tensor.begin for tensor in tensors.values()) == size


@st.composite
def honest(draw: st.DrawFn) -> tuple[dict[str, Any], int]:
    position, header = 0, {}
    shapes = st.lists(st.integers(0, 5), max_size=3)
    for name in draw(st.lists(st.text(max_size=5).filter(lambda name: name != "__metadata__"), unique=True)):
        dtype = draw(st.sampled_from(sorted(dtype for dtype, bits in BITS.items() if bits >= 8)))
        shape = draw(shapes)
        size = TensorInfo(dtype, tuple(shape), 0, 0).elements * BITS[dtype] // 8
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [position, position + size]}
        position += size
    return header, position


@given(honest(), st.randoms())
def test_every_honest_file_is_read_whatever_the_order_of_its_header(case: tuple[dict[str, Any], int], random) -> None:
    header, size = case
    names = list(header)
    random.shuffle(names)
    tensors = read(file_of({name: header[name] for name in names}, bytes(size)))
    assert {name: list(tensor.shape) for name, tensor in tensors.items()} == {
        name: entry["shape"] for name, entry in header.items()
    }
