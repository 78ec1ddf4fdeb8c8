"""Whether a line can be used, by the word of its operator."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from client.phones import Net
from letterlock.services.provisioning import AccountState
from letterlock.telephony import CellularServiceID, TelephonyMessagingSession, ViabilityNotification
from provisioning.lab import ANA, Operator
from telephony.lines import first

pytestmark = pytest.mark.anyio
LINE = CellularServiceID(ANA)
DAY = 24 * 3_600_000


async def test_an_operator_that_takes_the_service_away_and_gives_it_back(tmp_path: Path) -> None:
    async with Operator.open(tmp_path) as operator:
        net = Net()
        environment = operator.environment(
            transport=lambda environment, settings, identity, on_message: (
                None if settings.sip is None else net.transport(identity.number, on_message)
            )
        )
        path = await operator.provision()
        for state, viable in ((AccountState.DORMANT, False), (AccountState.ACTIVE, True)):
            await operator.server.set_state(ANA, state)
            operator.clock.now += DAY
            async with TelephonyMessagingSession.open(path, passphrase="tulip", environment=environment) as session:
                rcs = session.rcs_service
                async with contextlib.aclosing(rcs.viability_notifications()) as told:
                    # The one before was not dealt with: it is told again.
                    wanted = ViabilityNotification(LINE, viable)
                    assert await first(told, wanted.__eq__) == wanted
                await session.client.settled()
            async with TelephonyMessagingSession.open(path, passphrase="tulip", environment=environment) as session:
                assert await session.rcs_service.is_viable(LINE) is viable
