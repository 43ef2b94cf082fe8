"""One device at work: it takes its card requests up one at a time and brings each to an honest end."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

from swipegate.devices.drivers import create_reader, find_driver
from swipegate.devices.errors import DeviceError, ReadCancelled, ReadExpired, Reason, SettingsError
from swipegate.devices.reader import CardReader, ReadResult, ReadState
from swipegate.domain.card_request import CardRequest, Failure, State, end_of
from swipegate.domain.device import Device
from swipegate.host.faults import log_fault
from swipegate.host.outcome import UNPROVEN, decoded_swipe, failure_of_error, failure_of_swipe
from swipegate.service.bell import Bell
from swipegate.service.card_formats import CardFormats
from swipegate.service.card_requests import CardRequests
from swipegate.service.clock import SECOND, Clock
from swipegate.v1 import error_pb2

POLL = 1.0
"""Seconds after which a worker looks for work though no bell rang."""
REOPEN_TIME = 5.0
"""Seconds that a port which was open before gets to come back."""
REOPEN_PAUSE, REOPEN_PAUSE_MAX = 0.1, 1.0
"""Seconds between attempts: the first, doubled each time up to the last."""
OPEN_TIMEOUT = 10.0
"""Seconds a port gets to open or to close."""


class _Progress:
    """Reports the states of a read in the order in which the reader tells them."""

    def __init__(self, requests: CardRequests, request: CardRequest) -> None:
        self._requests = requests
        self._request = request
        self._reports: list[asyncio.Task[CardRequest | None]] = []

    @property
    def dispatched(self) -> bool:
        """Whether the device may have been told to take a card."""
        return bool(self._reports)

    def __call__(self, state: ReadState) -> None:
        # tasks start, and so take their place in the writer's queue, in the order of their creation
        report = self._requests.report(self._request, State(state.value))
        self._reports.append(asyncio.create_task(report))

    async def reported(self) -> None:
        """Return when all is stored. One that failed is told by the end of the read, which comes after it."""
        for outcome in await asyncio.gather(*self._reports, return_exceptions=True):
            if isinstance(outcome, BaseException):
                log_fault("a report of progress failed", outcome)


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
        self._was_open = False
        self._ending = asyncio.Event()

    async def run(self) -> None:
        """Serve requests until cancelled; then stop the device and leave the request to a person."""
        try:
            for orphan in await self._requests.adopt_orphans(self._device.device_id, self._epoch):
                await self._settle(orphan, Failure(error_pb2.ERROR_REASON_LINK_LOST))
            with self._bell.listen(("device", self._device.device_id)) as listener:
                while True:
                    if not await self._to_its_end(self._serve_next()):
                        await listener.wait(POLL)
        finally:
            await self._close()

    async def _to_its_end(self, work: Coroutine[Any, Any, bool]) -> bool:
        """Do the work in a task of its own, so that an end of the process finds no request half reported."""
        task = asyncio.create_task(work)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            self._ending.set()
            await asyncio.wait((task,))
            if not task.cancelled() and (error := task.exception()) is not None:
                log_fault("a device worker failed as it was stopped", error)
            raise

    async def _serve_next(self) -> bool:
        """Claim and serve one request; False when there is none."""
        request = await self._requests.claim(self._device.device_id, self._device.pc_name, self._epoch)
        if request is None:
            return False
        if self._ending.is_set():
            await self._requests.release(request)
        else:
            await self._serve(request)
        return True

    async def _settle(self, request: CardRequest, failure: Failure) -> None:
        """The device's work came to no provable end: ask the device, then say what can be proved."""
        await self._requests.report(request, State.UNKNOWN)
        at_rest = False
        try:
            async with asyncio.timeout(OPEN_TIMEOUT + self._settle_time):
                await (await self._open()).probe()
            at_rest = True
        except (DeviceError, TimeoutError):
            await self._close()
        except Exception as error:  # of a driver that is gone or wrong: no later try will fare better
            log_fault(f"device {self._device.device_id} could not be asked", error)
            failure = Failure(error_pb2.ERROR_REASON_INTERNAL)
            await self._close()
        overdue = request.expire_time <= self._clock()
        end = State.FAILED if overdue else end_of(failure)
        await self._requests.report(request, end, failure=failure, at_rest=at_rest)

    async def _serve(self, request: CardRequest) -> None:
        progress = _Progress(self._requests, request)
        reading = asyncio.create_task(self._read(request, progress))
        cancelling = asyncio.create_task(self._cancel_asked(request))
        ending = asyncio.create_task(self._ending.wait())
        guard = self._remaining(request) + self._settle_time  # the reader keeps the request's own deadline
        try:
            await asyncio.wait(
                (reading, cancelling, ending), timeout=guard, return_when=asyncio.FIRST_COMPLETED
            )
            await self._stop(reading)
        finally:
            cancelling.cancel()
            ending.cancel()
            await asyncio.wait((cancelling, ending))
        await progress.reported()
        await self._finish(request, reading, dispatched=progress.dispatched)

    @property
    def _settle_time(self) -> float:
        """Seconds the device gets to prove that it stopped, or to let go of a card."""
        try:
            return find_driver(self._device.driver).settle_time
        except SettingsError:  # the driver is gone, and opening will tell
            return OPEN_TIMEOUT

    def _remaining(self, request: CardRequest) -> float:
        """Seconds."""
        return max(0, request.expire_time - self._clock()) / SECOND

    async def _read(self, request: CardRequest, progress: "_Progress") -> ReadResult:
        reader = await self._open()
        deadline = time.monotonic() + self._remaining(request)
        return await reader.read(request.message, deadline=deadline, on_state=progress)

    async def _cancel_asked(self, request: CardRequest) -> None:
        with self._bell.listen(("card_request", request.card_request_id)) as listener:
            while True:
                try:
                    if (await self._requests.get(request.card_request_id)).state is State.CANCELLING:
                        return
                except Exception as error:  # a look that failed asks for nothing: look again
                    log_fault(f"device {self._device.device_id}: a look for a cancellation failed", error)
                await listener.wait(POLL)

    async def _stop(self, reading: "asyncio.Task[ReadResult]") -> None:
        """End a read that is still under way; its outcome is then in the task."""
        if reading.done():
            return
        try:
            async with asyncio.timeout(self._settle_time):
                if self._reader is None:  # the port is still being opened
                    reading.cancel()
                else:
                    await self._reader.cancel()
                await asyncio.wait((reading,))
        except Exception as error:  # the read fails alike, or has to
            if not isinstance(error, DeviceError | TimeoutError):
                log_fault(f"device {self._device.device_id} could not be stopped", error)
        if not reading.done():
            reading.cancel()
            await asyncio.wait((reading,), timeout=self._settle_time)

    async def _finish(
        self, request: CardRequest, reading: "asyncio.Task[ReadResult]", *, dispatched: bool
    ) -> None:
        """Report what the device's work came to."""
        if not reading.done() or (reading.cancelled() and dispatched):  # it had to be abandoned
            await self._settle_anew(request, Failure(error_pb2.ERROR_REASON_RESPONSE_TIMEOUT))
            return
        if reading.cancelled():  # while the port was being opened
            await self._stopped(request)
            return
        error = reading.exception()
        if error is None:
            await self._succeed(request, reading.result())
        elif isinstance(error, ReadCancelled):
            await self._stopped(request)
        elif isinstance(error, ReadExpired):
            await self._requests.report(request, State.EXPIRED)
        elif isinstance(error, DeviceError):
            failure = failure_of_error(error)
            if dispatched and failure.reason not in UNPROVEN:
                await self._release(
                    accepted=False
                )  # the card it may hold; the failure stands whatever comes of it
            await self._fail(request, failure, dispatched=dispatched)
        else:
            log_fault(f"a fault while device {self._device.device_id} was read", error)
            internal = Failure(error_pb2.ERROR_REASON_INTERNAL)
            await self._fail(request, internal, dispatched=dispatched)

    async def _stopped(self, request: CardRequest) -> None:
        """The device is at rest and read no card: because of a cancellation, the end of the process, or its time."""
        if self._ending.is_set():
            lost = Failure(error_pb2.ERROR_REASON_LINK_LOST)
            await self._requests.report(request, State.NEEDS_ACTION, failure=lost)
        else:  # a request that is being cancelled becomes CANCELLED by whatever ends the device's work
            await self._requests.report(request, State.EXPIRED)

    async def _succeed(self, request: CardRequest, result: ReadResult) -> None:
        try:
            formats = await self._formats.compiled(self._device.card_formats)
            decoded = decoded_swipe(result, formats)
        except Exception as error:  # the device is at rest, and what it gave cannot be used
            log_fault(f"what device {self._device.device_id} read cannot be decoded", error)
            internal = Failure(error_pb2.ERROR_REASON_INTERNAL)
            await self._requests.report(request, State.FAILED, failure=internal)
            return
        finally:
            result.wipe()
        now = await self._requests.report(request, State.READING)
        wanted = now is not None and now.state is State.READING  # not while it is being cancelled
        accepted = wanted and decoded.HasField("card_number")
        # Before success is told: nobody is to stand in front of a stuck card with an assigned number.
        if (failure := await self._release(accepted=accepted)) is not None:
            await self._fail(request, failure, dispatched=True)
            return
        if accepted:
            await self._requests.report(request, State.SUCCEEDED, swipe=decoded)
        else:
            failure = failure_of_swipe(decoded, result.device_code)
            await self._requests.report(request, end_of(failure), failure=failure)

    async def _release(self, *, accepted: bool) -> Failure | None:
        """Let the device let go of the card; why it could not."""
        assert self._reader is not None
        try:
            async with asyncio.timeout(self._settle_time):
                await self._reader.release(accepted=accepted)
        except (DeviceError, TimeoutError) as error:
            return failure_of_error(error)
        except Exception as error:
            log_fault(f"device {self._device.device_id} could not let go of a card", error)
            return Failure(error_pb2.ERROR_REASON_INTERNAL)
        return None

    async def _fail(self, request: CardRequest, failure: Failure, *, dispatched: bool) -> None:
        if dispatched and failure.reason in UNPROVEN:
            await self._settle_anew(request, failure)
            return
        await self._close()  # the next request finds the device in a known state or not at all
        await self._requests.report(request, end_of(failure), failure=failure)

    async def _settle_anew(self, request: CardRequest, failure: Failure) -> None:
        """Settle with a port opened anew: the one that was used is in doubt."""
        await self._close()
        if self._ending.is_set():  # the next start asks the device
            await self._requests.report(request, State.UNKNOWN)
        else:
            await self._settle(request, failure)

    async def _open(self) -> CardReader:
        if self._reader is None:
            reader = create_reader(self._device.driver, self._device.port, self._device.settings)
            await self._open_port(reader)
            self._reader = reader
        return self._reader

    async def _open_port(self, reader: CardReader) -> None:
        """Open; a port that was open before gets a while to come back, as a plug does."""
        give_up = time.monotonic() + (REOPEN_TIME if self._was_open else 0.0)
        pause = REOPEN_PAUSE
        while True:
            try:
                await reader.open()
            except DeviceError as error:
                if error.reason is not Reason.PORT_OPEN or time.monotonic() + pause > give_up:
                    raise
            else:
                self._was_open = True
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, REOPEN_PAUSE_MAX)

    async def _close(self) -> None:
        reader, self._reader = self._reader, None
        if reader is None:
            return
        try:
            async with asyncio.timeout(OPEN_TIMEOUT):
                await reader.close()
        except Exception as error:  # it is of no more use, whatever it says
            if not isinstance(error, DeviceError | TimeoutError):
                log_fault(f"device {self._device.device_id} could not be closed", error)
