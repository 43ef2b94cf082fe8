"""A whole server in a process of its own, to be killed.

Takes its settings from the environment and prints one JSON line when it listens.
"""

import asyncio
import json
import signal

from swipegate.api.server import Server
from swipegate.settings import load


async def main() -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = Server(load())
    await server.start()
    print(json.dumps({"port": server.port}), flush=True)
    await stop.wait()
    await server.stop()


if __name__ == "__main__":
    asyncio.run(main())
