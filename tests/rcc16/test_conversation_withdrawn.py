"""A list of trust anchors that withdraws the authority of somebody who is in a group already (rcc16.md 1.5, 1.7; SR-22)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from letterlock.conversation_seam import (
    HealthMoved,
    LetterReceived,
    Refusal,
    RemoveMembers,
    RenewCertificate,
    Retry,
    Stalled,
)
from letterlock.errors import InputError
from letterlock.rcc16.credentials.anchors import TrustAnchors
from letterlock.rcc16.credentials.issuing import Issuer

from .certificates import DAY
from .crooked import letter, raising
from .refusing import refuses
from .world import ANA, BEN, CLEO, GROUP, Phone, World

Act = Callable[[], object]


class TwoAuthorities(World):
    """Cleo's certificates are of another authority than everybody else's, under the same root."""

    def __init__(self) -> None:
        super().__init__("withdrawn")
        lab = self.lab
        self.usual: Issuer = lab.client_ca
        self.other: Issuer = lab.authority(
            lab.ica, "other ca", lab.client_ca_key, path_length=0, days=730, now=lab.now - 30 * DAY
        )
        self.of_other = {CLEO}

    def answer(self, phone: Phone, request: object) -> None:  # type: ignore[override]
        if isinstance(request, RenewCertificate):
            self.lab.client_ca = self.other if phone.number in self.of_other else self.usual
        super().answer(phone, request)  # type: ignore[arg-type]

    def withdraw(self, *phones: Phone) -> None:
        """These have the next list."""
        lab = self.lab
        lab.anchors = TrustAnchors(2, lab.anchors.certificates, frozenset({self.other.certificate.serial}))
        self.of_other.clear()
        for phone in phones:
            entries = lab.anchors.entries()
            phone.do(
                lambda phone=phone, entries=entries: phone.protocol.enrolled(  # type: ignore[misc]
                    phone.state, "anchors", None, entries, self.now, phone.rng
                )
            )


def test_a_member_whose_authority_was_withdrawn_is_not_read_and_not_written_to() -> None:
    world = TwoAuthorities()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    cleo.write(GROUP, "before")
    world.run()
    world.withdraw(ana)
    assert [one.reason for one in ana.told(Stalled)] == ["certificate-withdrawn"]
    cleo.write(GROUP, "after")
    world.run()
    assert ana.read() == ["before"]
    assert ben.read() == ["before", "after"]  # has not heard of it yet
    assert ana.write(GROUP, "for nobody").refused is Refusal.STALLED
    ana.change(GROUP, RemoveMembers((CLEO,)))
    world.run()
    assert ana.write(GROUP, "among ourselves").refused is None
    world.run()
    assert ben.read()[-1] == "among ourselves"


@refuses("RCC-A.4.1-11")
def test_a_letter_of_a_member_whose_authority_was_withdrawn() -> Act:
    world = TwoAuthorities()
    ana, _, cleo = world.group(ANA, BEN, CLEO)
    world.withdraw(ana)
    return raising(ana, letter(cleo, GROUP), CLEO)


def test_it_ends_with_a_leaf_that_holds() -> None:
    """The member's own client finds its certificate withdrawn, gets another one, and brings it into the group (9.5.3)."""
    world = TwoAuthorities()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    world.withdraw(ana, ben)
    assert ana.write(GROUP, "not yet").refused is Refusal.STALLED
    told = len(ana.told(HealthMoved))
    world.withdraw(cleo)
    world.run()
    assert len(ana.told(HealthMoved)) > told  # letters that waited are tried again
    assert ana.write(GROUP, "now").refused is None
    cleo.write(GROUP, "and back")
    world.run()
    assert [letter.sender for letter in ana.told(LetterReceived)] == [CLEO]


def test_trying_again_says_when_it_cannot_help() -> None:
    """The user is not shown "encrypted" for a chat in which nothing can be sent."""
    world = TwoAuthorities()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    assert not ana.view(GROUP).stuck
    world.withdraw(ana, ben)
    assert ana.view(GROUP).stuck
    with pytest.raises(InputError) as refused:
        ana.change(GROUP, Retry())
    assert refused.value.code == "rcc16.input.withdrawn" and CLEO in str(refused.value)
    world.withdraw(cleo)
    world.run()
    assert not ana.view(GROUP).stuck
    ana.change(GROUP, Retry())
