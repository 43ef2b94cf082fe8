"""A process that is a server and nothing else."""

import gc

COLLECT_AFTER = 20_000
"""Objects made and not freed after which Python looks for what refers to itself in a circle."""


def settle() -> None:
    """Have Python's collector leave alone what a started server holds, and look less often at what calls make.

    Calls leave next to nothing in circles, and looking for it took a tenth of the processor's time under load.
    """
    gc.collect()
    gc.freeze()
    _, *later = gc.get_threshold()
    gc.set_threshold(COLLECT_AFTER, *later)
