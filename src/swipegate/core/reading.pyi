"""A raw track of bits, samples or flux times -> characters; for other compiled stages, see reading.pxd."""
