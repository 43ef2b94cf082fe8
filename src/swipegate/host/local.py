"""The host in the server's own process."""

import asyncio

from swipegate.domain.device import Device
from swipegate.host.faults import log_fault
from swipegate.host.worker import DeviceWorker
from swipegate.service.bell import Bell
from swipegate.service.card_formats import CardFormats
from swipegate.service.card_requests import CardRequests
from swipegate.service.clock import Clock
from swipegate.service.devices import Devices

POLL = 5.0
"""Seconds after which new devices are looked for though no bell rang."""
RESTART_DELAY = 1.0
"""Seconds before a worker that failed is started again."""


class LocalHost:
    """Workers for every device that is attached to this PC."""

    def __init__(
        self,
        pc_name: str,
        devices: Devices,
        requests: CardRequests,
        formats: CardFormats,
        bell: Bell,
        clock: Clock,
    ) -> None:
        self._pc_name = pc_name
        self._devices = devices
        self._requests = requests
        self._formats = formats
        self._bell = bell
        self._clock = clock
        self._epoch = 0
        self._workers: dict[int, asyncio.Task[None]] = {}
        self._supervisor: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Attach in a new epoch and begin to serve."""
        self._epoch = await self._devices.take_over(self._pc_name)
        self._supervisor = asyncio.create_task(self._supervise())

    async def stop(self) -> None:
        """Stop the devices, say so in their requests, and detach."""
        if self._supervisor is None:
            return
        self._supervisor.cancel()
        await asyncio.gather(self._supervisor, return_exceptions=True)
        for worker in self._workers.values():
            worker.cancel()
        await asyncio.gather(*self._workers.values(), return_exceptions=True)
        try:
            await self._devices.detach(self._pc_name, self._epoch)
        except Exception as error:  # the database is gone: the next start takes over in a new epoch
            log_fault("the host could not be detached", error)

    async def _supervise(self) -> None:
        with self._bell.listen(("devices", self._pc_name)) as listener:
            while True:
                try:
                    for device in await self._devices.of_pc(self._pc_name):
                        if device.device_id not in self._workers:
                            worker = asyncio.create_task(self._keep_running(device))
                            self._workers[device.device_id] = worker
                except Exception as error:  # a look that failed must not be the last
                    log_fault("a look for new devices failed", error)
                await listener.wait(POLL)

    async def _keep_running(self, device: Device) -> None:
        while True:
            worker = DeviceWorker(device, self._epoch, self._requests, self._formats, self._bell, self._clock)
            try:
                await worker.run()
            except Exception as error:  # a fault of ours must not take a device out of service
                log_fault(f"the worker of device {device.device_id} failed and is started again", error)
                await asyncio.sleep(RESTART_DELAY)
