"""Heads of frames are found wherever the bytes are cut."""

from hyperframe.frame import DataFrame, Frame, PingFrame, SettingsFrame
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.http.h2_frames import PREFACE, FrameHeads, Head, Kind

FRAMES = st.lists(
    st.one_of(
        st.binary(max_size=40).map(lambda data: DataFrame(1, data)),
        st.just(PingFrame(0, b"12345678")),
        st.just(SettingsFrame(0, {3: 7})),
    ),
    max_size=8,
)


@given(FRAMES, st.lists(st.integers(1, 30)))
def test_each_head_is_found_once(frames: list[Frame], cuts: list[int]) -> None:
    whole = PREFACE + b"".join(frame.serialize() for frame in frames)
    ends, at = [], len(PREFACE)
    for frame in frames:
        at += len(frame.serialize())
        ends.append(at)
    heads, found, at = FrameHeads(), [], 0
    for cut in [*cuts, len(whole)]:
        part = whole[at : at + cut]
        found += [
            Head(head.kind, head.flags, head.length, head.end + at) for head in heads.feed(part)
        ]
        at += len(part)
    assert [head.kind for head in found] == [frame.type for frame in frames]
    assert [head.end for head in found] == ends
    assert [head.length for head in found] == [len(frame.serialize()) - 9 for frame in frames]


def test_a_head_tells_what_it_is() -> None:
    data = SettingsFrame(0, flags=["ACK"]).serialize()
    assert list(FrameHeads(skip=0).feed(data)) == [Head(Kind.SETTINGS, 1, 0, 9)]


def test_a_head_is_found_before_its_frame() -> None:
    [head] = FrameHeads(skip=0).feed(b"\xff\xff\xff\x00\x01\x00\x00\x00\x01")
    assert head == Head(Kind.DATA, 1, 0xFFFFFF, 9 + 0xFFFFFF)
