from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from banish.enforce.ranges import AddressRange, Block, BlockAccount, cut_into_pieces
from banish.model.instant import Instant

BITS = 6
"""A toy family of 64 addresses: small enough to look at every one."""

Until = Instant | None
LENGTHS = st.integers(0, BITS)
BLOCKS = st.builds(
    lambda first, length: Block(first >> (BITS - length) << (BITS - length), length),
    st.integers(0, 2**BITS - 1),
    LENGTHS,
)
UNTILS = st.sampled_from([None, *(Instant(n) for n in (10, 20, 30))])
WANTED = st.dictionaries(BLOCKS, UNTILS, max_size=8)


def addresses(block: Block) -> range:
    return range(block.first, block.first + 2 ** (BITS - block.length))


def longest(blocks: Mapping[Block, Until]) -> dict[int, float]:
    """Say the obvious way until when each address is banned."""
    ends: dict[int, float] = {}
    for block, until in blocks.items():
        for address in addresses(block):
            end = float("inf") if until is None else until
            ends[address] = max(end, ends.get(address, 0))
    return ends


def spelled_out(pieces: Sequence[AddressRange]) -> dict[int, float]:
    ends: dict[int, float] = {}
    for piece in pieces:
        assert piece.first <= piece.last
        for address in range(piece.first, piece.last + 1):
            assert address not in ends, "pieces overlap"
            ends[address] = float("inf") if piece.until is None else piece.until
    return ends


def test_a_longer_ban_inside_a_shorter_one_is_cut_out() -> None:
    blocks = {Block(0, 2): Instant(10), Block(4, 4): Instant(20)}
    assert cut_into_pieces(blocks, BITS) == [
        AddressRange(0, 3, Instant(10)),
        AddressRange(4, 7, Instant(20)),
        AddressRange(8, 15, Instant(10)),
    ]


def test_a_shorter_ban_inside_a_longer_one_does_not_show() -> None:
    blocks = {Block(0, 2): None, Block(4, 4): Instant(20)}
    assert cut_into_pieces(blocks, BITS) == [AddressRange(0, 15, None)]


@given(WANTED)
def test_pieces_cover_every_address_once_for_its_longest_ban(blocks: dict[Block, Until]) -> None:
    pieces = cut_into_pieces(blocks, BITS)
    assert pieces == sorted(pieces, key=lambda piece: piece.first)
    assert spelled_out(pieces) == longest(blocks)


@given(st.lists(st.tuples(WANTED, st.lists(BLOCKS, max_size=6)), max_size=6))
def test_exchanges_step_by_step_lead_to_what_cutting_everything_anew_gives(
    steps: list[tuple[dict[Block, Until], list[Block]]],
) -> None:
    account = BlockAccount(BITS)
    wanted: dict[Block, Until] = {}
    kernel: set[AddressRange] = set()
    for starts, ends in steps:
        ended = [block for block in ends if block not in starts]
        exchange = account.plan(starts, ended)
        assert set(exchange.gone) <= kernel
        kernel -= set(exchange.gone)
        kernel |= set(exchange.new)
        account.commit(starts, ended)
        for block in ended:
            wanted.pop(block, None)
        wanted.update(starts)
        assert kernel == set(account.pieces()) == set(cut_into_pieces(wanted, BITS))
        # Whatever was started is put in again, in case the kernel has lost it.
        assert {a for block in starts for a in addresses(block)} <= set(spelled_out(exchange.new))
        assert len(account) == len(wanted)


def test_a_change_leaves_networks_that_it_does_not_touch_alone() -> None:
    account = BlockAccount(BITS, {Block(0, 4): None, Block(32, 4): None})
    exchange = account.plan({Block(34, 5): Instant(5)}, [])
    assert exchange.gone == exchange.new == [AddressRange(32, 35, None)]
    assert account.plan({}, [Block(16, 4)]) == ([], [])


@given(WANTED, WANTED)
def test_a_network_is_held_when_all_of_its_addresses_are(
    wanted: dict[Block, Until], there: dict[Block, Until]
) -> None:
    account = BlockAccount(BITS, wanted)
    ranges = [(piece.first, piece.last) for piece in cut_into_pieces(there, BITS)]
    covered = set(longest(there))
    assert set(account.blocks_within(ranges)) == {
        block for block in wanted if covered.issuperset(addresses(block))
    }
    assert account.covers(ranges) == covered.issubset(longest(wanted))


@given(WANTED)
def test_what_stands_as_planned_lasts_as_long_as_it_is_to(blocks: dict[Block, Until]) -> None:
    account = BlockAccount(BITS, blocks)
    ranges = [(piece.first, piece.last, piece.until) for piece in account.pieces()]
    for block, left in account.times_left(ranges).items():
        assert left == blocks[block]


@given(WANTED, st.data())
def test_a_range_that_ends_sooner_than_planned_shows_in_a_network_that_it_is_of(
    blocks: dict[Block, Until], data: st.DataObject
) -> None:
    account = BlockAccount(BITS, blocks)
    ranges = [(piece.first, piece.last, piece.until) for piece in account.pieces()]
    if not ranges:
        return
    index = data.draw(st.integers(0, len(ranges) - 1))
    first, last, _ = ranges[index]
    ranges[index] = (first, last, Instant(1))
    found = account.times_left(ranges)
    assert any(
        found.get(block) is not None and found[block] != until
        for block, until in blocks.items()
        if block.first <= first and last <= block.first + 2 ** (BITS - block.length) - 1
    )


def test_a_range_without_end_shows_where_one_was_planned() -> None:
    account = BlockAccount(BITS, {Block(0, 2): Instant(10)})
    assert account.times_left([(0, 15, None)]) == {Block(0, 2): None}
    assert account.times_left([(16, 31, None)]) == {}
