"""Magstripe devices: serial ports, the protocols on them, drivers, and simulators of the other end."""
