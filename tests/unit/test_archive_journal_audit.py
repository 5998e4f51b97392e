"""The recomputed tree: what is damaged is found where it is, and the rest still counts."""

from hypothesis import given
from hypothesis import strategies as st

from archive.journal_audit import TreeAudit
from archive.log import Frontier
from pecete.evidence.log_proof import leaf_hash

SIZES = st.integers(1, 100)


def grown(size: int) -> tuple[list[bytes], list[list[bytes]], Frontier]:
    """Leaves, the hashes kept beside each, and the frontier."""
    leaves = [leaf_hash(b"entry %d" % index) for index in range(size)]
    frontier, kept = Frontier(), []
    for leaf in leaves:
        frontier, completed = frontier.append(leaf)
        kept.append(list(completed))
    return leaves, kept, frontier


@given(st.integers(0, 100))
def test_whole_tree(size: int) -> None:
    leaves, kept, frontier = grown(size)
    audit = TreeAudit()
    assert [audit.append(leaf, hashes) for leaf, hashes in zip(leaves, kept, strict=True)] == [[]] * size
    assert audit.roots() == {frontier.root()}
    assert audit.may_be(frontier)


@given(SIZES, st.data())
def test_a_changed_node_is_found_at_its_place(size: int, data: st.DataObject) -> None:
    leaves, kept, frontier = grown(size)
    index = data.draw(st.integers(0, size - 1))
    level = data.draw(st.integers(0, len(kept[index]) - 1))
    kept[index][level] = bytes(32)
    audit = TreeAudit()
    found = [
        (place, wrong)
        for place, (leaf, hashes) in enumerate(zip(leaves, kept, strict=True))
        for wrong in audit.append(leaf, hashes)
    ]
    # A kept leaf hash is compared with its entry, not here.
    assert found == ([(index, level)] if level else [])
    assert frontier.root() in audit.roots()
    assert audit.may_be(frontier)


@given(SIZES, st.data())
def test_a_missing_node_or_one_too_many_is_found(size: int, data: st.DataObject) -> None:
    leaves, kept, frontier = grown(size)
    index = data.draw(st.integers(0, size - 1))
    kept[index] = data.draw(st.sampled_from([kept[index][:-1], [*kept[index], bytes(32)]]))
    audit = TreeAudit()
    found = [place for place in range(size) if audit.append(leaves[place], kept[place])]
    assert found == [index]
    assert frontier.root() in audit.roots()


@given(SIZES, st.data())
def test_the_tree_goes_on_after_a_gap(size: int, data: st.DataObject) -> None:
    leaves, kept, frontier = grown(size)
    first = data.draw(st.integers(0, size - 1))
    end = data.draw(st.integers(first, size))
    audit = TreeAudit()
    for place in range(size):
        if place == first:
            audit.skip_to(end)
        if not first <= place < end:
            assert audit.append(leaves[place], kept[place]) == []
    assert audit.size == size
    assert audit.roots() in ({frontier.root()}, set())
    assert audit.may_be(frontier)
    another, _ = Frontier(size - 1, grown(size - 1)[2].peaks).append(bytes(32))
    if end < size:  # the last leaf is known
        assert not audit.may_be(another)


def test_a_wide_gap_takes_no_time() -> None:
    audit = TreeAudit()
    audit.skip_to(2**60 - 1)
    assert (audit.size, audit.roots()) == (2**60 - 1, set())


def test_wholesale_damage_stays_small() -> None:
    audit = TreeAudit()
    leaves, kept, _ = grown(1024)
    for leaf, hashes in zip(leaves, kept, strict=True):
        audit.append(leaf, [bytes(32)] * len(hashes))
    assert len(audit.roots()) <= 17
