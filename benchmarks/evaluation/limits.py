"""What the machine can do, and what the work takes."""

import time
from collections.abc import Sequence

import torch

from benchmarks.evaluation.materials import SHAPE


def matmul_flops_per_second(threads: int) -> float:
    """The best of several products of square matrices in float32 (bfloat16 on a GPU)."""
    torch.set_num_threads(threads)
    on_gpu = torch.cuda.is_available()
    size, dtype = (8192, torch.bfloat16) if on_gpu else (1536, torch.float32)
    one, other = (torch.randn(size, size, dtype=dtype, device="cuda" if on_gpu else "cpu") for _ in range(2))
    best = 0.0
    for _ in range(12):
        began = time.perf_counter()
        _ = one @ other
        if on_gpu:
            torch.cuda.synchronize()
        best = max(best, 2 * size**3 / (time.perf_counter() - began))
    return best


def body_parameters() -> int:
    """Of the matrices that every token is multiplied with."""
    hidden, key_size = SHAPE["hidden_size"], SHAPE["hidden_size"] // SHAPE["num_attention_heads"]
    attention = 2 * hidden * hidden + 2 * hidden * key_size * SHAPE["num_key_value_heads"]
    return SHAPE["num_hidden_layers"] * (attention + 3 * hidden * SHAPE["intermediate_size"])


def flops(lengths: Sequence[int], answers: Sequence[int]) -> int:
    """Of one reading: every token through the body, causal attention, and logits of the answers' tokens alone."""
    body = 2 * body_parameters() * sum(lengths)
    attention = sum(2 * SHAPE["num_hidden_layers"] * SHAPE["hidden_size"] * length**2 for length in lengths)
    return body + attention + 2 * SHAPE["hidden_size"] * SHAPE["vocab_size"] * sum(answers)


def flops_of_all_logits(lengths: Sequence[int]) -> int:
    """Of one reading with logits of every token, as the peers do it."""
    return flops(lengths, lengths)


def least_bytes() -> int:
    """Read from memory for one reading: every weight once, in float32."""
    return 4 * (body_parameters() + SHAPE["hidden_size"] * SHAPE["vocab_size"])
