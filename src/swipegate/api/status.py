"""A refusal as google.rpc.Status with exactly one ErrorInfo (AIP-193)."""

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from swipegate.domain.errors import Kind, SwipegateError, name

DOMAIN = "swipegate"
"""Of every ErrorInfo."""
DETAILS_KEY = "grpc-status-details-bin"
"""Trailing metadata that holds the serialized google.rpc.Status."""
RETRY_AFTER = 1
"""Seconds a caller should let pass before it tries again."""

CODES = {
    Kind.INVALID: grpc.StatusCode.INVALID_ARGUMENT,
    Kind.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    Kind.DENIED: grpc.StatusCode.PERMISSION_DENIED,
    Kind.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Kind.EXISTS: grpc.StatusCode.ALREADY_EXISTS,
    Kind.PRECONDITION: grpc.StatusCode.FAILED_PRECONDITION,
    Kind.ABORTED: grpc.StatusCode.ABORTED,
    Kind.EXHAUSTED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Kind.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    Kind.DEADLINE: grpc.StatusCode.DEADLINE_EXCEEDED,
    Kind.INTERNAL: grpc.StatusCode.INTERNAL,
}


def code_of(error: SwipegateError) -> grpc.StatusCode:
    """The gRPC status code of a refusal."""
    return CODES[error.entry.kind]


def status_of(error: SwipegateError) -> status_pb2.Status:
    """The whole status of a refusal."""
    info = error_details_pb2.ErrorInfo(reason=name(error.reason), domain=DOMAIN, metadata=error.metadata)
    if error.entry.exception:
        info.metadata["exception"] = error.entry.exception
    details = [info, *_extra(error)]
    return status_pb2.Status(
        code=code_of(error).value[0], message=str(error), details=[_packed(detail) for detail in details]
    )


def _extra(error: SwipegateError) -> list[Message]:
    kind = error.entry.kind
    if kind is Kind.INVALID and "field" in error.metadata:
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=error.metadata["field"], description=error.metadata["detail"]
        )
        return [error_details_pb2.BadRequest(field_violations=[violation])]
    if kind is Kind.PRECONDITION:
        failed = error_details_pb2.PreconditionFailure.Violation(
            type=name(error.reason), description=str(error)
        )
        return [error_details_pb2.PreconditionFailure(violations=[failed])]
    if error.entry.passes and kind in (Kind.ABORTED, Kind.EXHAUSTED, Kind.UNAVAILABLE):
        return [error_details_pb2.RetryInfo(retry_delay=Duration(seconds=RETRY_AFTER))]
    return []


def _packed(message: Message) -> Any:
    packed = Any()
    packed.Pack(message)
    return packed
