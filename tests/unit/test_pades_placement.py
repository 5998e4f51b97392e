"""Where visible signatures go."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pecete.errors import FailedPreconditionError
from signer.pades.placement import CELL_HEIGHT, CELL_WIDTH, Page, Rectangle, free_cells

A4 = Page((0.0, 0.0, 595.0, 842.0))
coordinates = st.integers(-500, 500).map(float)
rotations = st.sampled_from([0, 90, 180, 270])


def overlap(first: Rectangle, second: Rectangle) -> bool:
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]


def inside(cell: Rectangle, box: Rectangle) -> bool:
    return box[0] <= cell[0] and box[1] <= cell[1] and cell[2] <= box[2] and cell[3] <= box[3]


@settings(deadline=None)
@given(coordinates, coordinates, rotations, coordinates, coordinates)
def test_shown_and_user_space_are_inverse(
    left: float, bottom: float, rotation: int, x: float, y: float
) -> None:
    page = Page((left, bottom, left + 595, bottom + 842), rotation)
    rectangle = (x, y, x + 10, y + 20)
    assert page.to_shown(page.to_user_space(rectangle)) == rectangle


def test_corners_of_a_page_turned_by_a_quarter() -> None:
    """Turned clockwise, the lower left corner as shown is the lower right one of the page."""
    page = Page((0.0, 0.0, 600.0, 800.0), 90)
    assert page.size == (800.0, 600.0)
    assert page.to_user_space((0.0, 0.0, 10.0, 20.0)) == (580.0, 0.0, 600.0, 10.0)


def test_first_cells_stand_side_by_side_at_the_bottom() -> None:
    (first,) = free_cells(A4, [], 1)
    (second,) = free_cells(A4, [first], 1)
    (third,) = free_cells(A4, [first, second], 1)
    assert first == (36.0, 36.0, 36.0 + CELL_WIDTH, 36.0 + CELL_HEIGHT)
    assert second[0] > first[2] and second[1] == first[1]
    assert third[0] == first[0] and third[1] > first[3]


@settings(deadline=None)
@given(
    st.tuples(coordinates, coordinates), st.tuples(st.integers(150, 2000), st.integers(150, 2000)), rotations
)
def test_signatures_lie_inside_the_page_and_never_overlap(
    corner: tuple[float, float], size: tuple[int, int], rotation: int
) -> None:
    page = Page((corner[0], corner[1], corner[0] + size[0], corner[1] + size[1]), rotation)
    taken: list[Rectangle] = []
    for _ in range(4):
        try:
            (cell,) = free_cells(page, taken, 1)
        except FailedPreconditionError:
            break
        assert inside(cell, page.box)
        assert not any(overlap(cell, other) for other in taken)
        taken.append(cell)
    assert taken


def test_a_full_page_is_an_error() -> None:
    with pytest.raises(FailedPreconditionError) as refusal:
        free_cells(A4, [(0.0, 0.0, 595.0, 842.0)], 1)
    assert refusal.value.reason == "NO_ROOM_FOR_SIGNATURE"


def test_a_page_too_small_to_read_a_signature_on_is_an_error() -> None:
    with pytest.raises(FailedPreconditionError):
        free_cells(Page((0.0, 0.0, 60.0, 60.0)), [], 1)
