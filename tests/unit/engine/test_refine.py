"""Parts of stations by what they may bring, refined rule by rule."""

from __future__ import annotations

from ringfence.engine.allpairs.rows import refine


class _Untouched(int):
    """Stations that nobody needs to look at."""

    def __and__(self, other: int) -> int:
        raise AssertionError(f"compared with {other:b}")


def test_stations_move_to_what_they_gained_and_leave_no_empty_part() -> None:
    parts = {0b00: 0b1100, 0b01: 0b0011}
    assert refine(parts, 0b1110, 0b10) == {0b01: 0b0001, 0b10: 0b1100, 0b11: 0b0010}
    assert refine(parts, 0b0111, 0b01) == {0b00: 0b1000, 0b01: 0b0111}
    assert parts == {0b00: 0b1100, 0b01: 0b0011}


def test_who_moves_into_a_part_is_not_moved_again() -> None:
    assert refine({0b00: 0b01, 0b10: 0b10}, 0b11, 0b10) == {0b10: 0b11}


def test_the_look_ends_where_every_station_was_met() -> None:
    parts = {0b00: 0b0011, 0b01: _Untouched(0b1100)}
    assert refine(parts, 0b0001, 0b10) == {0b00: 0b0010, 0b10: 0b0001, 0b01: 0b1100}
