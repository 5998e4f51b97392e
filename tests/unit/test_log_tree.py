"""The Merkle tree against the recursive definitions of RFC 9162 §2.1, and against forged proofs."""

import hashlib
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.log import Frontier, Subtree, consistency_proof, inclusion_proof, split_hashes, tree_root
from pecete.errors import DataLossError, InvalidArgumentError
from pecete.evidence.log_proof import leaf_hash, node_hash, verify_consistency, verify_inclusion

SIZES = st.integers(min_value=1, max_value=150)


def definition(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 9162 §2.1.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return node_hash(definition(leaves[:k]), definition(leaves[k:]))


class Tree:
    """A log grown leaf by leaf, as the journal keeps it."""

    def __init__(self, size: int) -> None:
        self.leaves = [leaf_hash(b"entry %d" % index) for index in range(size)]
        self.frontier = Frontier()
        self.completed: list[tuple[bytes, ...]] = []
        for leaf in self.leaves:
            self.frontier, hashes = self.frontier.append(leaf)
            self.completed.append(hashes)
        self.reads = 0

    def read(self, subtrees: Sequence[Subtree]) -> Mapping[Subtree, bytes]:
        self.reads += len(subtrees)
        return {subtree: self.completed[subtree.last_leaf][subtree.level] for subtree in subtrees}


def test_known_roots_of_certificate_transparency() -> None:
    """The roots that the Certificate Transparency reference tests publish for their eight inputs."""
    inputs = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ]
    roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ]
    frontier = Frontier()
    for data, root in zip(inputs, roots, strict=True):
        frontier, _ = frontier.append(leaf_hash(bytes.fromhex(data)))
        assert frontier.root().hex() == root


@given(st.integers(min_value=0, max_value=150))
def test_root_follows_the_definition(size: int) -> None:
    tree = Tree(size)
    assert tree.frontier.root() == definition(tree.leaves)
    assert tree_root(size, tree.read) == tree.frontier.root()


@given(SIZES)
def test_frontier_survives_storage(size: int) -> None:
    frontier = Tree(size).frontier
    assert Frontier.from_bytes(size, frontier.to_bytes()) == frontier


@pytest.mark.parametrize(
    ("size", "peaks"), [(1, b""), (2, b"\x00" * 64), (3, b"\x00" * 63), (-1, b"\x00" * 32)]
)
def test_frontier_of_wrong_length_is_refused(size: int, peaks: bytes) -> None:
    with pytest.raises(DataLossError, match="JOURNAL_HEAD_MALFORMED"):
        Frontier.from_bytes(size, peaks)


@given(SIZES, st.data())
def test_inclusion(size: int, data: st.DataObject) -> None:
    tree = Tree(size)
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, tree.read)
    verify_inclusion(tree.leaves[index], index, size, proof, tree.frontier.root())
    assert len(proof) <= (size - 1).bit_length()


@given(SIZES, st.data())
def test_inclusion_in_an_older_tree(size: int, data: st.DataObject) -> None:
    tree = Tree(size)
    old = data.draw(st.integers(1, size))
    index = data.draw(st.integers(0, old - 1))
    proof = inclusion_proof(index, old, tree.read)
    verify_inclusion(tree.leaves[index], index, old, proof, definition(tree.leaves[:old]))


@given(SIZES, st.data())
def test_forged_inclusion_is_refused(size: int, data: st.DataObject) -> None:
    tree = Tree(size)
    root = tree.frontier.root()
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, tree.read)
    leaf = tree.leaves[index]
    forgeries: list[tuple[bytes, int, int, list[bytes], bytes]] = [
        (leaf_hash(b"another"), index, size, proof, root),
        (leaf, index, size, [*proof, root], root),
        (leaf, index, size, proof, leaf_hash(b"another root")),
        (leaf, size, size, proof, root),
        (leaf, -1, size, proof, root),
    ]
    if proof:
        position = data.draw(st.integers(0, len(proof) - 1))
        forgeries.append((leaf, index, size, proof[:-1], root))
        forgeries.append((leaf, index ^ 1, size, proof, root))
        forgeries.append(
            (leaf, index, size, [*proof[:position], bytes(32), *proof[position + 1 :]], root),
        )
    for forgery in forgeries:
        with pytest.raises(DataLossError, match="INCLUSION_PROOF_INVALID"):
            verify_inclusion(*forgery)


@given(SIZES, st.data())
def test_consistency(size: int, data: st.DataObject) -> None:
    tree = Tree(size)
    old = data.draw(st.integers(0, size))
    proof = consistency_proof(old, size, tree.read)
    verify_consistency(old, size, proof, definition(tree.leaves[:old]), tree.frontier.root())


@given(SIZES, st.data())
def test_forged_consistency_is_refused(size: int, data: st.DataObject) -> None:
    tree = Tree(size)
    old = data.draw(st.integers(1, size))
    proof = consistency_proof(old, size, tree.read)
    old_root, new_root = definition(tree.leaves[:old]), tree.frontier.root()
    forgeries: list[tuple[int, int, list[bytes], bytes, bytes]] = [
        (old, size, proof, leaf_hash(b"another"), new_root),
        (old, size, [*proof, new_root], old_root, new_root),
        (size + 1, size, proof, old_root, new_root),
    ]
    if proof:
        position = data.draw(st.integers(0, len(proof) - 1))
        forgeries.append((old, size, proof, old_root, leaf_hash(b"another")))
        forgeries.append((old, size, proof[:-1], old_root, new_root))
        forgeries.append(
            (old, size, [*proof[:position], bytes(32), *proof[position + 1 :]], old_root, new_root)
        )
    for forgery in forgeries:
        with pytest.raises(DataLossError, match="CONSISTENCY_PROOF_INVALID"):
            verify_consistency(*forgery)


def test_proofs_of_a_large_tree_take_few_reads() -> None:
    tree = Tree(10_000)
    inclusion_proof(4321, 10_000, tree.read)
    assert tree.reads <= 20
    tree.reads = 0
    consistency_proof(7777, 10_000, tree.read)
    assert tree.reads <= 30


@given(st.integers(0, 2**40))
def test_each_leaf_completes_as_many_subtrees_as_its_index_ends_in_ones(index: int) -> None:
    ones = 0
    while index >> ones & 1:
        ones += 1
    frontier = Frontier(index, (bytes(32),) * index.bit_count())
    grown, completed = frontier.append(bytes(32))
    assert len(completed) == ones + 1
    assert len(grown.peaks) == (index + 1).bit_count()


def test_proofs_outside_the_tree_are_refused() -> None:
    tree = Tree(3)
    for index in (-1, 3):
        with pytest.raises(InvalidArgumentError, match="LEAF_NOT_IN_TREE"):
            inclusion_proof(index, 3, tree.read)
    with pytest.raises(InvalidArgumentError, match="TREE_SIZES_INVALID"):
        consistency_proof(4, 3, tree.read)


def test_split_hashes() -> None:
    assert split_hashes(b"a" * 32 + b"b" * 32) == (b"a" * 32, b"b" * 32)
