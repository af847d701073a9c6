import pytest

from ringfence.ruleset.changes.transaction import (
    AddChain,
    AddCounter,
    AddElements,
    AddMap,
    AddRule,
    AddSet,
    AddTable,
    AddVerdicts,
    DeleteChain,
    DeleteCounter,
    DeleteElements,
    DeleteMap,
    DeleteSet,
    DeleteTable,
    DeleteVerdicts,
    FlushChain,
    Operation,
    SetType,
    Transaction,
)
from ringfence.ruleset.ir import Datatype, Final, Hook, NftRule
from ringfence.ruleset.wire.attributes import ACK, BODY, HEADER, attributes, words
from ringfence.ruleset.wire.encode import encode
from ringfence.ruleset.wire.linux import TABLE, Message

PEERS = SetType("peers", (Datatype.IPV4,), interval=False)


def sent(*operations: Operation) -> list[tuple[int, int, int, bytes]]:
    """Return type, flags, number and attributes of each message of the batch."""
    data = encode(Transaction("ringfence", operations))
    found = []
    while data:
        size, kind, flags, number, _ = HEADER.unpack_from(data)
        found.append((kind & 0xFF, flags, number, data[BODY:size]))
        data = data[size:]
    return found


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        (AddTable("c"), Message.NEWTABLE),
        (DeleteTable(), Message.DELTABLE),
        (AddCounter("c"), Message.NEWOBJ),
        (DeleteCounter("c"), Message.DELOBJ),
        (AddSet(PEERS), Message.NEWSET),
        (DeleteSet("s"), Message.DELSET),
        (AddElements(PEERS, ((1,),)), Message.NEWSETELEM),
        (DeleteElements(PEERS, ((1,),)), Message.DELSETELEM),
        (AddMap("m", Datatype.IPV4), Message.NEWSET),
        (DeleteMap("m"), Message.DELSET),
        (AddVerdicts("m", Datatype.IPV4, {1: "c"}), Message.NEWSETELEM),
        (DeleteVerdicts("m", Datatype.IPV4, {1: "c"}), Message.DELSETELEM),
        (AddChain("c", Hook.FORWARD, None), Message.NEWCHAIN),
        (FlushChain("c"), Message.DELRULE),
        (DeleteChain("c"), Message.DELCHAIN),
        (AddRule("c", NftRule((), (Final.DROP,))), Message.NEWRULE),
    ],
)
def test_every_operation_is_its_message_of_the_table(
    operation: Operation, kind: Message
) -> None:
    _, (found, _, _, body), _ = sent(operation)
    assert found == kind
    assert words(attributes(body)[TABLE]) == "ringfence"


def test_messages_are_numbered_by_their_operation() -> None:
    many = tuple((number,) for number in range(10_000))
    numbers = [
        number for _, _, number, _ in sent(AddSet(PEERS), AddElements(PEERS, many))
    ]
    assert numbers == [2, 0, 1, 1, 1, 2]


def test_only_the_last_message_asks_for_an_answer() -> None:
    flags = [flags & ACK for _, flags, _, _ in sent(AddSet(PEERS), DeleteSet("s"))]
    assert flags == [0, 0, ACK, 0]


def test_no_elements_are_no_message() -> None:
    assert [kind for kind, _, _, _ in sent(AddElements(PEERS, ()))] == [16, 17]
