"""Wire protocols of devices, without I/O: bytes and a clock in, frames and events out."""
