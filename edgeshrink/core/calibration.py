"""What ten seconds of work told about a machine. Predictions for this machine stand on it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MachineCalibration:
    """Speeds of one host, measured with `threads` threads.

    `dram_read_bytes_s`: reading a buffer far larger than the last-level cache; `cache_read_bytes_s`: one well
    inside it (`cache_bytes` is that cache's size). `decode_overhead_s`: time of a decode step that does not
    depend on weight bytes, in a model of `overhead_layers` layers (it grows with them). `prefill_flop_s`:
    floating-point operations a second that prefill reaches. `quantize_weights_s`: weights a second through Q4_K.
    `disk_write_bytes_s`: sequential, synced.
    `others_cpu_share`: what other programs used of the CPUs meanwhile; above 0.1 the speeds are a busy machine's.
    """

    host_id: str
    taken_at: str
    threads: int
    dram_read_bytes_s: float
    cache_read_bytes_s: float
    cache_bytes: int
    decode_overhead_s: float
    prefill_flop_s: float
    quantize_weights_s: float
    disk_write_bytes_s: float
    overhead_layers: int = 16
    others_cpu_share: float = 0.0
