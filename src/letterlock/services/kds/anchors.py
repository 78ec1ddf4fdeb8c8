"""The list of trust anchors as it is published: a new generation whenever its content or its signer differs from the newest
(rcc16.md 1.7).

A generation never changes once it is out, and is served for as long as configuration documents may name it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from ...crypto.provider import CryptoProvider
from ...errors import InvalidRcc16
from ...rcc16.credentials.anchors import TrustAnchors, accept_anchor_list, sign_anchor_list
from ..signer import Signer
from ..writer import Writer
from .authority import Authority
from .tables import AnchorList, Tables

__all__ = ["publish_anchors"]


async def publish_anchors(
    writer: Writer[Tables],
    authority: Authority,
    signer: Signer,
    peers: Iterable[bytes],
    revoked: Iterable[int],
    crypto: CryptoProvider,
) -> TrustAnchors:
    """The newest list: the one that is there, if it says what it should, else the next generation."""
    peers, revoked = tuple(peers), tuple(revoked)
    while True:
        newest = await writer.run(lambda tables: tables.newest_anchors())
        generation = 0 if newest is None else newest.generation
        if newest is not None:
            try:
                found = accept_anchor_list(
                    newest.encoded, signer_spki=signer.spki, generation=generation, held=None, crypto=crypto
                )
            except InvalidRcc16:  # by a signer before this one: clients are told of this one
                found = None
            if found == authority.anchors(peers, revoked, generation):
                return found
        wanted = authority.anchors(peers, revoked, generation + 1)
        listed = AnchorList(wanted.generation, await asyncio.to_thread(sign_anchor_list, wanted, signer.sign))
        # Another process may have been first with this generation; then it is looked at again.
        await writer.run(lambda tables, listed=listed: tables.put_anchors(listed))  # type: ignore[misc]
