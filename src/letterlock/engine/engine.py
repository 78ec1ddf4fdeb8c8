"""The front of the conversation engine: one class, every method a pure step.

Methods take the state, an input, the time and a random source, and return a `Step`: commit its
writes, then perform its effects. They raise only on the caller's own account (InputError,
NotEncrypted, TrustRequired); whatever comes from outside becomes events.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..carriage import Inbound, NetworkResult
from ..conversation_seam import ConversationProtocol
from ..crypto.provider import CryptoProvider
from ..errors import InputError, NotEncrypted
from ..ids import ChatName, GroupName, Instant, MessageId, Number, Peer, Rng, bot_of, group_of
from ..seam import DeviceProtocol, MaterialNeeded, Party, Publish, State
from ..trust.security_code import SecurityCode, security_code
from . import (
    bots,
    chats,
    contacts,
    displaying,
    fetching,
    inbox,
    key_material,
    outbox,
    policy,
    receipts,
    sending,
    upkeep,
    waiting,
)
from .content import Sendable, ToBot
from .conversations import choosing, members, receiving, working
from .conversations import sending as letters
from .conversations.outbox import PREFIX
from .conversations.records import participant_key
from .conversations.steps import ConversationSteps
from .core import Core, media_type_of
from .events import CapabilitiesChanged
from .groups import actions as groups
from .groups import security as groups_security
from .groups.steps import GroupSteps
from .groups.values import Group, group_key
from .history_steps import HistorySteps
from .limits import DEFAULTS, EngineLimits, Privacy
from .policy import PlainOption
from .record_values import Chat, Message
from .records import PLACE, chat_key, contact_key, message_key
from .security import Security
from .step import Step, Turn
from .view import MessageView, view

__all__ = ["Engine"]


class Engine(GroupSteps, ConversationSteps, HistorySteps):
    """The engine of one device, `me`. It holds no state: several engines over one state are one engine."""

    def __init__(
        self,
        me: Party,
        crypto: CryptoProvider,
        protocols: Sequence[DeviceProtocol],
        *,
        keeping: Sequence[ConversationProtocol] = (),
        limits: EngineLimits = DEFAULTS,
        privacy: Privacy = Privacy(),  # noqa: B008 - a frozen value
        sign: Callable[[bytes, Rng], bytes] | None = None,
        sms: bool = False,
    ) -> None:
        """Both sorts of protocols in order of preference; `keeping` are those that keep the members themselves. `sign` makes XEdDSA signatures by this device's identity key; without it no group can be changed here. `sms`: this profile can send SMS, which makes it an option, and nothing more (SR-01)."""
        by_name = {protocol.name: protocol for protocol in protocols}
        by_type = {media_type_of(protocol): protocol for protocol in protocols}
        self._core = Core(
            me, crypto, by_name, by_type, limits, privacy, {each.name: each for each in keeping}, sign, sms
        )

    @property
    def me(self) -> Party:
        """Our number, account and device."""
        return self._core.me

    def speaks(self, protocol: str) -> bool:
        """Whether this engine has the protocol of this name."""
        return protocol in self._core.protocols or protocol in self._core.keeping

    # --- life ------------------------------------------------------------------------------------------
    def adopt_list(self, state: State, signed: bytes, now: Instant, rng: Rng) -> Step[None]:
        """Take our own signed device list (a new profile, or the primary made a new one). Needed before anything is sent.

        Raises DeviceListError when it does not verify or does not follow the one we have, InputError when
        it is not ours or does not list this device.
        """
        turn = Turn(state, now, rng)
        contacts.adopt_list(self._core, turn, signed)
        inbox.unpark(self._core, turn, self.me.number)
        return turn.finish(None)

    def start(self, state: State, now: Instant, rng: Rng) -> Step[None]:
        """The process has (re)started: ask again for everything that is pending, run all timers."""
        turn = Turn(state, now, rng)
        upkeep.start(self._core, turn)
        return turn.finish(None)

    def on_timer(self, state: State, now: Instant, rng: Rng) -> Step[None]:
        """The time of a WakeAt has come."""
        turn = Turn(state, now, rng)
        upkeep.on_timer(self._core, turn)
        return turn.finish(None)

    def clock_set_back(self, state: State, now: Instant, rng: Rng) -> Step[None]:
        """The wall clock shows an earlier time than before: nothing waits for the former one to come again."""
        turn = Turn(state, now, rng)
        upkeep.clock_set_back(self._core, turn)
        return turn.finish(None)

    def rolled_back(self, state: State, now: Instant, rng: Rng) -> Step[None]:
        """The user took an older copy of the store into use: say so, and forget every session (SR-06)."""
        turn = Turn(state, now, rng)
        upkeep.rolled_back(self._core, turn)
        return turn.finish(None)

    # --- sending -----------------------------------------------------------------------------------------
    def open_chat(self, state: State, peer: Peer, now: Instant, rng: Rng) -> Step[Security]:
        """Make sure that the chat exists and that its keys are being looked up; a chatbot has none. Raises InputError for
        our own number."""
        turn = Turn(state, now, rng)
        chat = chats.save(self._core, turn, chats.load_peer(self._core, turn, peer))
        if bot_of(peer) is not None:
            return turn.finish(policy.state_of(self._core, chat, None, now))
        number = Number(peer)
        contact = chats.contact_of(turn, number)
        fetching.look_up(self._core, turn, chat, contact)
        if (keeping := choosing.of(self._core, turn, number)) is not None:
            chat = letters.open_chat(self._core, turn, keeping, chats.load(turn, number))
        return turn.finish(policy.state_of(self._core, chat, contact, now))

    def send(
        self,
        state: State,
        chat: ChatName,
        content: Sendable,
        now: Instant,
        rng: Rng,
        *,
        allow: PlainOption | None = None,
        wait: bool = True,
        message_id: MessageId | None = None,
        only_encrypted: bool = False,
        keep: bool = False,
    ) -> Step[MessageId]:
        """Store a message, or a change of one, for sending; with the effects performed it is on its way.

        While keys are unknown (`checking`) the message waits, encrypted later or expired; with `wait=False`
        that raises NotEncrypted too. `allow` is one of the options of a NotEncrypted of this chat (SR-01).
        Raises NotEncrypted, TrustRequired (a verified contact's keys changed) or InputError: a field that is out of
        its bounds, a target that is not there (`input.target`), of somebody else (`input.not_author`), deleted, or of
        another protection; a file that its server can read in an encrypted chat (`input.file_encrypted`). In a group: members whose keys are not
        there yet get it later, InputError (`input.group_left`) when we are no member, and there is no `allow`.

        `message_id` is an id of the caller's choice; InputError (`input.message_id_used`) for one that was used.
        `only_encrypted`: NotEncrypted also where the user left the chat unencrypted; one that waits is never released.
        `keep`: the user decided as `keep_waiting` says, in the same commit.
        """
        turn = Turn(state, now, rng, message_id, only_encrypted)
        if (only_encrypted or keep) and allow is not None:
            raise InputError("either encrypted in any case, or unencrypted by decision", code="input.allow")
        if only_encrypted and (stands := self.security(state, chat, now)) in (Security.PLAIN_RCS, Security.PLAIN_SMS):
            raise NotEncrypted("not sent: this chat is not encrypted", reason=stands.value)
        if (bot := bot_of(chat)) is not None:
            return turn.finish(bots.send(self._core, turn, bot, content, allow))
        if isinstance(content, ToBot):
            raise InputError("this is for chatbots alone", code="input.chatbot")
        if group_of(chat) is None:
            return turn.finish(sending.send(self._core, turn, Number(chat), content, allow, wait, keep))
        if allow is not None:
            raise NotEncrypted("a group is never unencrypted", reason=Security.ENCRYPTED.value)
        if keep:
            sending.keep_waiting(self._core, turn, chats.load(turn, chat))
        if (keeping := choosing.of(self._core, turn, chat)) is not None:
            return turn.finish(letters.send(self._core, turn, keeping, chat, content, wait))
        return turn.finish(groups.send(self._core, turn, GroupName(chat), content))

    def keep_waiting(self, state: State, chat: ChatName, now: Instant, rng: Rng) -> Step[None]:
        """The user decided to wait where no keys were found: from here to the next transition of this chat, messages are
        stored and wait. They are encrypted as soon as there are keys, which the directory is asked for from time to time;
        unencrypted only by `release`. Raises NotEncrypted where the user left the chat unencrypted (SR-01).
        """
        turn = Turn(state, now, rng)
        if not chats.exists(turn, chat):
            raise InputError("there is no such chat", code="input.chat", hint="open the chat first: letterlock chats")
        sending.keep_waiting(self._core, turn, chats.load(turn, chat))
        return turn.finish(None)

    def release(self, state: State, number: Number, allow: PlainOption, now: Instant, rng: Rng) -> Step[int]:
        """Send the messages that wait in this chat unencrypted, by the user's decision; gives their number.

        Raises NotEncrypted when the option is not of this chat and this transition.
        """
        turn = Turn(state, now, rng)
        return turn.finish(sending.release(self._core, turn, number, allow))

    def options(self, state: State, number: ChatName) -> tuple[PlainOption, ...]:
        """What the user may choose in this chat now: what a NotEncrypted would carry."""
        chat = state.get(chat_key(number))
        return policy.options_of(self._core, chat) if chat is not None else ()

    def typing(self, state: State, number: Number, active: bool, now: Instant, rng: Rng) -> Step[None]:
        """Tell the peer, if the chat is settled and encrypted; silently nothing otherwise or when too often."""
        turn = Turn(state, now, rng)
        sending.typing(self._core, turn, number, active)
        return turn.finish(None)

    def find(self, state: State, chat: ChatName, message_id: MessageId) -> tuple[MessageView, ...]:
        """The messages with this id as they are shown. Nearly always one: ids are chosen by senders."""
        found = []
        for key in state.scan(PLACE, f"{chat}/{message_id}/"):
            place = state.get(key)
            message = state.get(message_key(chat, place.order)) if place is not None else None
            if message is not None:
                found.append(self.view(state, chat, message))
        return tuple(sorted(found, key=lambda view: view.order))

    def view(self, state: State, number: ChatName, message: Message) -> MessageView:
        """A stored message as it is shown: with its last text, its reactions, what it answers."""
        return view(state, number, message, self.me.number, self._core.limits)

    def mark_displayed(self, state: State, chat: ChatName, message_id: MessageId, now: Instant, rng: Rng) -> Step[None]:
        """The user has seen a received message: send the display receipt, once. Nothing for an unknown id."""
        turn = Turn(state, now, rng)
        if not receiving.displayed(self._core, turn, chat, message_id):
            if group_of(chat) is None:
                displaying.mark(self._core, turn, Number(chat), message_id)
            else:
                groups.mark_displayed(self._core, turn, GroupName(chat), message_id)
        displaying.forgotten(turn, chat, message_id)
        return turn.finish(None)

    # --- the world answers ---------------------------------------------------------------------------------
    def received(self, state: State, inbound: Inbound, now: Instant, rng: Rng) -> Step[None]:
        """Something came from the network. Acknowledge it after the commit, whatever it was."""
        turn = Turn(state, now, rng)
        inbox.received(self._core, turn, inbound)
        return turn.finish(None)

    def send_receipts(self, state: State, owed: str, now: Instant, rng: Rng) -> Step[None]:
        """The messages of a SendReceipts are on disk: tell their sender, all in one frame."""
        turn = Turn(state, now, rng)
        receipts.send_owed(self._core, turn, owed)
        return turn.finish(None)

    def on_network(self, state: State, row: str, result: NetworkResult, now: Instant, rng: Rng) -> Step[None]:
        """The network answered a Transmit."""
        turn = Turn(state, now, rng)
        if row.startswith(PREFIX):
            working.network(self._core, turn, row, result)
        else:
            outbox.on_network(self._core, turn, row, result)
        return turn.finish(None)

    def on_capabilities(
        self,
        state: State,
        number: Number,
        features: tuple[str, ...],
        before: tuple[str, ...],
        now: Instant,
        rng: Rng,
    ) -> Step[None]:
        """The carrier names other features of a number than before: told where there is a chat, and nothing else (SR-02)."""
        turn = Turn(state, now, rng)
        if chats.exists(turn, number):
            turn.tell(CapabilitiesChanged(number, features, before))
        return turn.finish(None)

    def on_lists(
        self, state: State, number: Number, lists: Sequence[bytes] | None, now: Instant, rng: Rng
    ) -> Step[None]:
        """The directory answered FetchLists: signed lists, oldest first; empty when it knows none (or none newer);
        None when it could not be asked."""
        turn = Turn(state, now, rng)
        contacts.learn(self._core, turn, number, lists)
        if lists is not None:
            inbox.unpark(self._core, turn, number)
        waiting.keys_came(self._core, turn, number)
        return turn.finish(None)

    def on_material(
        self, state: State, needed: MaterialNeeded, material: bytes | None, now: Instant, rng: Rng
    ) -> Step[None]:
        """The directory answered FetchMaterial; None when there is none or it could not be asked."""
        turn = Turn(state, now, rng)
        key_material.came(self._core, turn, needed, material)
        return turn.finish(None)

    def on_published(
        self, state: State, protocol: str, publish: Publish, remaining: int | None, now: Instant, rng: Rng
    ) -> Step[None]:
        """The directory took a PublishMaterial; `remaining` one-time keys are there if it said so."""
        turn = Turn(state, now, rng)
        upkeep.on_published(self._core, turn, protocol, publish, remaining)
        return turn.finish(None)

    # --- trust -----------------------------------------------------------------------------------------------
    def security(self, state: State, number: ChatName, now: Instant) -> Security:
        """The state of the chat."""
        known = state.get(chat_key(number))
        if group_of(number) is not None and (known is None or not known.protocol):
            group = state.get(group_key(GroupName(number)))
            return groups_security.state_of(self._core, state, group or Group(GroupName(number)), now)
        contact = None if group_of(number) is not None else state.get(contact_key(Number(number)))
        return policy.state_of(self._core, known or Chat(number), contact, now)

    def security_code(self, state: State, number: Number) -> SecurityCode:
        """The code that both people compare: over the two participant keys and numbers. Raises InputError without keys.

        It takes some 20 ms by design of the hash.
        """
        own = state.get(contact_key(self.me.number))
        theirs = self.participant(state, number)
        if own is None:
            raise InputError("no keys of this number are known yet", code="input.no_keys")
        return security_code(self.me.number, own.list.participant_spki, number, theirs)

    def participant(self, state: State, number: Number) -> bytes:
        """The participant key of a number: the one that the chat with it goes by. Raises InputError without one.

        Both protocols have the same key where all is well, and so the same security code.
        """
        chat, contact = state.get(chat_key(number)), state.get(contact_key(number))
        certified = state.get(participant_key(number))
        if certified is not None and (contact is None or (chat is not None and chat.protocol)):
            return certified.spki
        if contact is None:
            raise InputError(
                f"no keys of {number} are known yet", code="input.no_keys", hint="open the chat and wait for the keys"
            )
        return contact.list.participant_spki

    def mark_verified(self, state: State, number: Number, account: bytes, now: Instant, rng: Rng) -> Step[None]:
        """The user compared the security code of exactly this account with the contact.

        Raises TrustRequired when the contact has other keys by now, InputError when there are none.
        """
        turn = Turn(state, now, rng)
        steps = members.mark_verified(self._core, turn, number, account)
        if not steps or chats.contact_of(turn, number) is not None:
            contacts.mark_verified(self._core, turn, number, account)
        working.trusted(self._core, turn, steps)
        waiting.keys_came(self._core, turn, number)
        return turn.finish(None)

    def accept_keys(self, state: State, number: Number, now: Instant, rng: Rng) -> Step[None]:
        """The user has seen the new keys and goes on without verifying ("send anyway")."""
        turn = Turn(state, now, rng)
        steps = members.accept(self._core, turn, number)
        if not steps or chats.contact_of(turn, number) is not None:
            contacts.accept_keys(self._core, turn, number)
        working.trusted(self._core, turn, steps)
        waiting.keys_came(self._core, turn, number)
        return turn.finish(None)
