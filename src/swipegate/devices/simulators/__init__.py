"""The other end of each wire on a real pseudo-terminal or socket, with cards to insert and faults.

A simulator of another package registers through the entry point group `swipegate.simulators`: the name of its
driver, and the class that extends Simulator. The names of the simulators here cannot be taken.
"""

from swipegate.devices.registry import Registry
from swipegate.devices.simulators.base import Simulator

ENTRY_POINT_GROUP = "swipegate.simulators"
# Name -> module and class, imported when first asked for.
BUILT_IN = {
    "crt310": ("swipegate.devices.simulators.crt310", "Crt310Simulator"),
    "crt591": ("swipegate.devices.simulators.crt591", "Crt591Simulator"),
    "line": ("swipegate.devices.simulators.line", "LineSimulator"),
    "msr605": ("swipegate.devices.simulators.msr605", "Msr605Simulator"),
    "omron": ("swipegate.devices.simulators.omron", "OmronSimulator"),
    "sankyo": ("swipegate.devices.simulators.sankyo", "SankyoSimulator"),
    "sanwa": ("swipegate.devices.simulators.sanwa", "SanwaSimulator"),
}
SIMULATORS = Registry("simulator", Simulator, ENTRY_POINT_GROUP, BUILT_IN)  # type: ignore[type-abstract]
simulator_names = SIMULATORS.names
find_simulator = SIMULATORS.find
