"""What enrolment keeps, and under which keys (SR-06).

* `rcc16-leaf/key`: the leaf key, made once, and what the primary signed for it on a linked device.
* `rcc16-certificate/own`: our chain. `rcc16-anchors/own`: the trust anchors in force.
* `rcc16-package/<reference>`: a key package with its private keys. `rcc16-package-used/<reference>`: one that is gone.
* `rcc16-upkeep/own`: when what was done.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ...ids import Instant
from ...seam import Key, RecordKind
from ..forms import BOOL, BYTES, TEXT, U64, kind_of, many, maybe, record

__all__ = ["ANCHORS", "CERTIFICATE", "LEAF", "PACKAGES", "UPKEEP", "USED", "Link", "Own", "Package", "Schedule"]


@dataclass(frozen=True, slots=True)
class Link:
    """What the primary device gave to a linked one."""

    participant_spki: bytes
    participant_information: bytes
    csr_pop: bytes
    until: Instant


@dataclass(frozen=True, slots=True)
class Own:
    """This device's leaf key and the name under which it is certified."""

    client_id: str
    private: bytes = field(repr=False)
    public: bytes
    link: Link | None = None


@dataclass(frozen=True, slots=True)
class Package:
    """`row` is a KeyPackageBundle's; `pool` counts the pools; `replaced_at` 0 while its pool is the last."""

    row: bytes = field(repr=False)
    pool: int
    replaced_at: Instant = 0


@dataclass(frozen=True, slots=True)
class Schedule:
    """`pool` counts the pools made; `chain_digest` is of the certificates in the last one."""

    pool: int = 0
    made_at: Instant = 0
    chain_digest: bytes = b""
    published_pool: int = 0
    published_at: Instant = 0
    upload_asked_at: Instant = 0
    upload_failures: int = 0
    left: int = 0
    """One-time packages of the last pool that nobody has used yet, by the Welcomes that came."""
    urgent: bool = False
    """The package of last resort was used."""
    repair: bool = False
    """A Welcome could not be opened."""
    repaired_at: Instant = 0
    certificate_asked_at: Instant = 0
    certificate_failures: int = 0
    swept_at: Instant = 0


_LINK: Final = record(Link, participant_spki=BYTES, participant_information=BYTES, csr_pop=BYTES, until=U64)

LEAF: Final[Key[Own]] = kind_of(
    "rcc16-leaf", record(Own, client_id=TEXT, private=BYTES, public=BYTES, link=maybe(_LINK))
).key("key")
CERTIFICATE: Final[Key[tuple[bytes, ...]]] = kind_of("rcc16-certificate", many(BYTES)).key("own")
ANCHORS: Final[Key[tuple[bytes, ...]]] = kind_of("rcc16-anchors", many(BYTES)).key("own")
PACKAGES: Final[RecordKind[Package]] = kind_of("rcc16-package", record(Package, row=BYTES, pool=U64, replaced_at=U64))
USED: Final[RecordKind[Instant]] = kind_of("rcc16-package-used", U64)
UPKEEP: Final[Key[Schedule]] = kind_of(
    "rcc16-upkeep",
    record(
        Schedule,
        pool=U64,
        made_at=U64,
        chain_digest=BYTES,
        published_pool=U64,
        published_at=U64,
        upload_asked_at=U64,
        upload_failures=U64,
        left=U64,
        urgent=BOOL,
        repair=BOOL,
        repaired_at=U64,
        certificate_asked_at=U64,
        certificate_failures=U64,
        swept_at=U64,
    ),
).key("own")
