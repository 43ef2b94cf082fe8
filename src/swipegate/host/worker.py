"""One device at work: it takes its card requests up one at a time and brings each to an honest end."""

import asyncio
import contextlib
import logging
import time

from swipegate.devices.drivers import create_reader
from swipegate.devices.errors import DeviceError, ReadCancelled, ReadExpired
from swipegate.devices.reader import CardReader, ReadResult, ReadState
from swipegate.domain.card_request import CardRequest, Failure, State, end_of
from swipegate.domain.device import Device
from swipegate.host.outcome import decoded_swipe, failure_of_error, failure_of_swipe
from swipegate.service.bell import Bell
from swipegate.service.card_formats import CardFormats
from swipegate.service.card_requests import CardRequests
from swipegate.service.clock import SECOND, Clock
from swipegate.v1 import error_pb2

POLL = 1.0
"""Seconds after which a worker looks for work though no bell rang."""
SETTLE_TIMEOUT = 10.0
"""Seconds a device gets to prove that it stopped."""

log = logging.getLogger(__name__)


class _Progress:
    """Reports the states of a read in the order in which the reader tells them."""

    def __init__(self, requests: CardRequests, request: CardRequest) -> None:
        self._requests = requests
        self._request = request
        self._reports: list[asyncio.Task[CardRequest | None]] = []

    def __call__(self, state: ReadState) -> None:
        # tasks start, and so take their place in the writer's queue, in the order of their creation
        report = self._requests.report(self._request, State(state.value))
        self._reports.append(asyncio.create_task(report))

    async def reported(self) -> None:
        """Return when all is stored; raises what a report raised."""
        await asyncio.gather(*self._reports)


class DeviceWorker:
    """The work of one device, in one epoch of its host."""

    def __init__(
        self,
        device: Device,
        epoch: int,
        requests: CardRequests,
        formats: CardFormats,
        bell: Bell,
        clock: Clock,
    ) -> None:
        self._device = device
        self._epoch = epoch
        self._requests = requests
        self._formats = formats
        self._bell = bell
        self._clock = clock
        self._reader: CardReader | None = None

    async def run(self) -> None:
        """Serve requests until cancelled; then stop the device and leave the request to a person."""
        try:
            for orphan in await self._requests.adopt_orphans(self._device.device_id, self._epoch):
                await self._settle(orphan)
            with self._bell.listen(("device", self._device.device_id)) as listener:
                while True:
                    request = await self._requests.claim(
                        self._device.device_id, self._device.pc_name, self._epoch
                    )
                    if request is None:
                        await listener.wait(POLL)
                    else:
                        await self._serve(request)
        finally:
            await self._close()

    async def _settle(self, orphan: CardRequest) -> None:
        """An earlier process died over this request: ask the device, then say what can be proved."""
        failure = Failure(error_pb2.ERROR_REASON_LINK_LOST)
        try:
            async with asyncio.timeout(SETTLE_TIMEOUT):
                await (await self._open()).probe()
        except (DeviceError, TimeoutError) as error:
            failure = failure_of_error(error)
            await self._close()
        overdue = orphan.expire_time <= self._clock()
        await self._requests.report(orphan, State.FAILED if overdue else end_of(failure), failure=failure)

    async def _serve(self, request: CardRequest) -> None:
        progress = _Progress(self._requests, request)
        reading = asyncio.create_task(self._read(request, progress))
        cancelling = asyncio.create_task(self._cancel_asked(request))
        guard = self._remaining(request) + SETTLE_TIMEOUT  # the reader keeps the request's own deadline
        try:
            await asyncio.wait((reading, cancelling), timeout=guard, return_when=asyncio.FIRST_COMPLETED)
            await self._stop(reading)
            await progress.reported()
            await self._finish(request, reading)
        except asyncio.CancelledError:
            # the process ends, and what was asked is left to a person, unless the card came at the last moment
            await self._stop(reading)
            await progress.reported()
            lost = Failure(error_pb2.ERROR_REASON_LINK_LOST)
            await self._finish(request, reading, State.NEEDS_ACTION, lost)
            raise
        finally:
            cancelling.cancel()

    def _remaining(self, request: CardRequest) -> float:
        """Seconds."""
        return max(0, request.expire_time - self._clock()) / SECOND

    async def _read(self, request: CardRequest, progress: "_Progress") -> ReadResult:
        reader = await self._open()
        deadline = time.monotonic() + self._remaining(request)
        return await reader.read(request.message, deadline=deadline, on_state=progress)

    async def _cancel_asked(self, request: CardRequest) -> None:
        with self._bell.listen(("card_request", request.card_request_id)) as listener:
            while (await self._requests.get(request.card_request_id)).state is not State.CANCELLING:
                await listener.wait(POLL)

    async def _stop(self, reading: "asyncio.Task[ReadResult]") -> None:
        """End a read that is still under way; its outcome is then in the task."""
        if reading.done():
            return
        try:
            async with asyncio.timeout(SETTLE_TIMEOUT):
                if self._reader is None:  # the port is still being opened
                    reading.cancel()
                else:
                    await self._reader.cancel()
                await asyncio.wait((reading,))
        except (DeviceError, TimeoutError):  # the read fails alike, or has to
            reading.cancel()
            await asyncio.wait((reading,), timeout=SETTLE_TIMEOUT)

    async def _finish(
        self,
        request: CardRequest,
        reading: "asyncio.Task[ReadResult]",
        if_stopped: State = State.CANCELLED,
        failure: Failure | None = None,
    ) -> None:
        """Report what the device's work came to; `if_stopped` is what it means that the read was stopped."""
        try:
            await self._succeed(request, reading.result())
        except ReadCancelled:
            await self._requests.report(request, if_stopped, failure=failure)
        except ReadExpired:
            await self._requests.report(request, State.EXPIRED)
        except DeviceError as error:
            await self._fail(request, failure_of_error(error))
        except asyncio.CancelledError:  # of the read, which had to be abandoned
            await self._fail(request, Failure(error_pb2.ERROR_REASON_RESPONSE_TIMEOUT))
        except Exception:
            log.exception("a fault while device %d was read", self._device.device_id)
            await self._fail(request, Failure(error_pb2.ERROR_REASON_INTERNAL))

    async def _succeed(self, request: CardRequest, result: ReadResult) -> None:
        formats = await self._formats.compiled(self._device.card_formats)
        try:
            decoded = decoded_swipe(result, formats)
        finally:
            result.wipe()
        await self._requests.report(request, State.READING)
        if decoded.HasField("card_number"):
            await self._requests.report(request, State.SUCCEEDED, swipe=decoded)
        else:
            failure = failure_of_swipe(decoded, result.device_code)
            await self._requests.report(request, end_of(failure), failure=failure)

    async def _fail(self, request: CardRequest, failure: Failure) -> None:
        await self._close()  # the next request finds the device in a known state or not at all
        await self._requests.report(request, end_of(failure), failure=failure)

    async def _open(self) -> CardReader:
        if self._reader is None:
            reader = create_reader(self._device.driver, self._device.port, self._device.settings)
            await reader.open()
            self._reader = reader
        return self._reader

    async def _close(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            with contextlib.suppress(DeviceError, TimeoutError):
                async with asyncio.timeout(SETTLE_TIMEOUT):
                    await reader.close()
