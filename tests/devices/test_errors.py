"""What a device error carries."""

from swipegate.devices.errors import DeviceError, LinkLost, ReadExpired, Reason


def test_error_carries_reason_and_code() -> None:
    error = DeviceError(Reason.JAM, "at the gate", device_code="10")
    assert str(error) == "JAM: at the gate"
    assert (error.reason, error.device_code) == ("JAM", "10")


def test_the_same_failure_is_told_to_each_waiter_afresh() -> None:
    for error in (LinkLost("gone"), DeviceError(Reason.DESYNC, "x", device_code="34")):
        again = error.again()
        assert again is not error
        assert type(again) is type(error)
        assert vars(again) == vars(error)


def test_expiry_is_a_timeout() -> None:
    assert issubclass(ReadExpired, TimeoutError)
