"""Numbers of linux/netfilter/nf_tables.h that this product's tables use.

Grouped as there; attribute types of one group are numbered anew from 1. Every group's
``TABLE`` is 1, so that one attribute serves a whole batch.
"""

from __future__ import annotations

from enum import IntEnum


class Message(IntEnum):
    """enum nf_tables_msg_types."""

    NEWTABLE = 0
    GETTABLE = 1
    DELTABLE = 2
    NEWCHAIN = 3
    GETCHAIN = 4
    DELCHAIN = 5
    NEWRULE = 6
    GETRULE = 7
    DELRULE = 8
    NEWSET = 9
    GETSET = 10
    DELSET = 11
    NEWSETELEM = 12
    GETSETELEM = 13
    DELSETELEM = 14
    GETGEN = 16
    NEWOBJ = 18
    GETOBJ = 19
    DELOBJ = 20
    GETFLOWTABLE = 23


TABLE = 1
"""NFTA_TABLE_NAME, NFTA_CHAIN_TABLE, NFTA_RULE_TABLE, NFTA_SET_TABLE, ..."""

TABLE_FLAGS, TABLE_HANDLE, TABLE_USERDATA = 2, 4, 6
CHAIN_NAME, CHAIN_HOOK, CHAIN_POLICY, CHAIN_TYPE, CHAIN_USERDATA = 3, 4, 5, 7, 12
HOOK_NUMBER, HOOK_PRIORITY = 1, 2
RULE_CHAIN, RULE_EXPRESSIONS, RULE_USERDATA = 2, 4, 7
OBJECT_NAME, OBJECT_TYPE, OBJECT_DATA = 2, 3, 4
COUNTER_BYTES, COUNTER_PACKETS = 1, 2
OBJECT_COUNTER = 1
FLOWTABLE_NAME = 2
GENERATION_ID = 1

SET_NAME, SET_FLAGS, SET_KEY_TYPE, SET_KEY_LENGTH = 2, 3, 4, 5
SET_DATA_TYPE, SET_DATA_LENGTH, SET_DESCRIPTION, SET_ID = 6, 7, 9, 10
SET_USERDATA, SET_COUNT = 13, 20
DESCRIPTION_CONCAT, FIELD_LENGTH = 2, 1
SET_INTERVAL, SET_MAP, SET_CONCAT = 0x4, 0x8, 0x80

ELEMENTS_SET, ELEMENTS = 2, 3
ELEMENT_KEY, ELEMENT_DATA, ELEMENT_FLAGS, ELEMENT_USERDATA = 1, 2, 3, 6
ELEMENT_KEY_END = 10
INTERVAL_END = 1

LIST_ELEMENT = 1
DATA_VALUE, DATA_VERDICT = 1, 2
VERDICT_TYPE = 0xFFFFFF00
VERDICT_CODE, VERDICT_CHAIN = 1, 2
DROP, ACCEPT = 0, 1
GOTO = 0xFFFFFFFC

EXPRESSION_NAME, EXPRESSION_DATA = 1, 2


class Meta(IntEnum):
    """NFTA_META_* and the keys of enum nft_meta_keys."""

    DREG = 1
    KEY = 2
    NFPROTO = 15
    L4PROTO = 16


class Payload(IntEnum):
    """NFTA_PAYLOAD_*."""

    DREG = 1
    BASE = 2
    OFFSET = 3
    LEN = 4


class Compare(IntEnum):
    """NFTA_CMP_*."""

    SREG = 1
    OP = 2
    DATA = 3


EQ, NEQ, LTE, GTE = 0, 1, 3, 5
"""enum nft_cmp_ops."""


class Bitwise(IntEnum):
    """NFTA_BITWISE_*."""

    SREG = 1
    DREG = 2
    LEN = 3
    MASK = 4
    XOR = 5
    OP = 6


class Byteorder(IntEnum):
    """NFTA_BYTEORDER_*."""

    LEN = 4


class Find(IntEnum):
    """NFTA_LOOKUP_*."""

    SET = 1
    SREG = 2
    DREG = 3
    FLAGS = 5


INVERSE = 1
"""NFT_LOOKUP_F_INV."""


class Connection(IntEnum):
    """NFTA_CT_*; of its keys only NFT_CT_STATE, 0."""

    DREG = 1
    KEY = 2


class Fib(IntEnum):
    """NFTA_FIB_*."""

    DREG = 1
    RESULT = 2
    FLAGS = 3


FIB_SOURCE, FIB_ADDRESS_TYPE, LOCAL = 1, 3, 2
"""NFTA_FIB_F_SADDR, NFT_FIB_RESULT_ADDRTYPE, RTN_LOCAL (linux/rtnetlink.h)."""


class Rate(IntEnum):
    """NFTA_LIMIT_*."""

    RATE = 1
    UNIT = 2
    BURST = 3
    TYPE = 4
    FLAGS = 5


class Logging(IntEnum):
    """NFTA_LOG_*."""

    GROUP = 1
    PREFIX = 2
    SNAPLEN = 3
    QTHRESHOLD = 4


class Immediate(IntEnum):
    """NFTA_IMMEDIATE_*."""

    DREG = 1
    DATA = 2


class Reject(IntEnum):
    """NFTA_REJECT_*."""

    TYPE = 1
    CODE = 2


TCP_RESET = 1
"""NFT_REJECT_TCP_RST."""


class Object(IntEnum):
    """NFTA_OBJREF_*."""

    TYPE = 1
    NAME = 2
