"""Blocks of real units, of the manual, and of broken lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swipegate.devices.protocols.msr605.blocks import (
    FIELD_BYTES_MAX,
    STRAY_BYTES_MAX,
    Block,
    BlockError,
    BlockParser,
    Mark,
    Status,
    build_iso_block,
    build_raw_block,
    parse_block,
)

T1, T2, T3 = b"%ABC123?", b";12345?", b";45?"
WHOLE = build_iso_block([T1, T2, T3], Status.OK)


def _data(block: Block) -> list[bytes | Mark]:
    return [bytes(field.data) if field.mark is Mark.DATA else field.mark for field in block.fields]


def test_end_sentinel_of_track_3_is_not_taken_for_the_end() -> None:
    assert WHOLE.hex().endswith("3f3f1c1b30")
    assert _data(parse_block(WHOLE, raw=False)) == [T1, T2, T3]


def test_marks_and_empty_fields() -> None:
    block = build_iso_block([Mark.UNREADABLE, Mark.NO_DATA, b""], Status.OK)
    assert _data(parse_block(block, raw=False)) == [Mark.UNREADABLE, Mark.NO_DATA, Mark.NO_DATA]


@pytest.mark.parametrize("stray", [b"\x6f", b"\x1b", b"\x6f" * STRAY_BYTES_MAX])
def test_stray_bytes_before_the_status_are_skipped(stray: bytes) -> None:
    assert parse_block(WHOLE[:-2] + stray + WHOLE[-2:], raw=False).status == Status.OK


def test_too_many_stray_bytes_are_refused() -> None:
    with pytest.raises(BlockError, match="between the end and the status"):
        parse_block(WHOLE[:-2] + b"o" * (STRAY_BYTES_MAX + 1) + WHOLE[-2:], raw=False)


def test_stale_tail_is_ignored() -> None:
    assert _data(parse_block(WHOLE + bytes.fromhex("aabb3f1c1b31"), raw=False)) == [T1, T2, T3]


@pytest.mark.parametrize(
    ("hexed", "problem"),
    [
        ("494e56414c4944", "first byte"),
        ("1b74", "second byte"),
        ("1b731b02", "number of field 1"),
        ("1b731b01413f1c1b", "incomplete"),
        ("1b731b01411b2b", "neither a mark"),
        ("1b731b011b2b411b02", "is marked no data and has text"),
        ("1b731b011b2b1b2a", "neither a mark"),
        ("1b731b01411b03", "neither a mark"),
        ("1b731b01411b02421b03431c", "1C without 3F"),
        ("1b731b01411b02421b031c", "1C without 3F"),
        ("1b731b01411b02421b033f1c1b33", "the status is none"),
        ("1b", "incomplete"),
        ("", "incomplete"),
    ],
)
def test_malformed_iso_block_is_refused_and_its_place_told(hexed: str, problem: str) -> None:
    with pytest.raises(BlockError, match=problem):
        parse_block(bytes.fromhex(hexed), raw=False)


@pytest.mark.parametrize(
    ("hexed", "problem"),
    [
        ("1b731b0101ff1c", "before field 2"),
        ("1b731b01001b02001b03003f1b", "second byte of the end"),
        ("1b731b01001b02001b0300411c", "first byte of the end"),
        ("1b731b0105ffff", "incomplete"),
    ],
)
def test_malformed_raw_block_is_refused_and_its_place_told(hexed: str, problem: str) -> None:
    with pytest.raises(BlockError, match=problem):
        parse_block(bytes.fromhex(hexed), raw=True)


def test_endless_text_is_refused_at_the_bound() -> None:
    parser = BlockParser(raw=False, with_status=True)
    for byte in bytes.fromhex("1b731b01") + b"A" * (FIELD_BYTES_MAX + 1):
        assert parser.feed(byte) is None
    with pytest.raises(BlockError, match="longer than"):
        parser.feed(0x41)
    with pytest.raises(BlockError, match="after the end"):
        parser.feed(0x41)


def test_raw_payload_may_hold_every_byte() -> None:
    payload = bytes(range(255))
    assert _data(parse_block(build_raw_block([payload, b"", b"\x1b\x02"], 0x30), raw=True)) == [
        payload,
        Mark.NO_DATA,
        b"\x1b\x02",
    ]


def test_wiping_zeroes_the_data_in_place() -> None:
    block = parse_block(WHOLE, raw=False)
    held = block.fields[0].data
    block.wipe()
    assert held == bytes(len(T1))


def test_repr_holds_no_data() -> None:
    assert "ABC" not in repr(parse_block(WHOLE, raw=False))


@given(st.binary(max_size=300), st.booleans(), st.booleans())
def test_any_bytes_are_a_block_or_refused(data: bytes, raw: bool, headed: bool) -> None:
    head = bytes.fromhex("1b731b01") if headed else b""
    try:
        block = parse_block(head + data, raw=raw)
    except BlockError:
        return
    assert len(block.fields) == 3
    assert all(len(field.data) <= FIELD_BYTES_MAX for field in block.fields)


@given(st.lists(st.binary(max_size=FIELD_BYTES_MAX), min_size=3, max_size=3), st.sampled_from(Status))
def test_raw_block_comes_back_as_built(fields: list[bytes], status: Status) -> None:
    block = parse_block(build_raw_block(fields, status), raw=True)
    assert [bytes(field.data) for field in block.fields] == fields
    assert block.status == status


@given(
    st.lists(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x5F)), min_size=3, max_size=3),
    st.sampled_from(Status),
)
def test_iso_block_comes_back_as_built(texts: list[str], status: Status) -> None:
    fields = [text.encode() for text in texts]
    block = parse_block(build_iso_block(list(fields), status), raw=False)
    assert [bytes(field.data) for field in block.fields] == fields


@given(st.data())
def test_a_lost_byte_is_refused_or_loses_only_the_track_it_was_in(data: st.DataObject) -> None:
    lost = data.draw(st.integers(0, len(WHOLE) - 1))
    try:
        block = parse_block(WHOLE[:lost] + WHOLE[lost + 1 :], raw=False)
    except BlockError:
        return
    got = _data(block)
    assert sum(left != right for left, right in zip(got, [T1, T2, T3], strict=True)) <= 1
