"""The life of a group, told to two sessions."""

from __future__ import annotations

from pathlib import Path

import pytest

from letterlock.telephony import (
    AddGroupChatParticipantsRequest,
    ChangeGroupChatSubjectRequest,
    ComposingIndicator,
    ComposingState,
    CreateGroupChatRequest,
    Disposition,
    DispositionNotification,
    GroupChatEnded,
    GroupChatParticipantsAdded,
    GroupChatParticipantsRemoved,
    GroupChatStarted,
    GroupChatSubjectUpdated,
    LeaveGroupChatRequest,
    RCSError,
    RCSErrorCode,
    RCSGroupContext,
    RCSGroupHandle,
    RCSMessageID,
    RemoteCapabilitiesRequest,
    RemoveGroupChatParticipantsRequest,
    SendEncryptedMessageRequest,
    Text,
)
from telephony.lines import NOBODY, ana_and_ben, first, uri

pytestmark = pytest.mark.anyio
CLEO = "+15550133"


async def test_the_life_of_a_group(tmp_path: Path) -> None:
    async with ana_and_ben(tmp_path) as (ana, ben, place):
        cleo = await place.line(CLEO)
        made = await ana.rcs.create_group_chat(CreateGroupChatRequest(ana.id, (ben.uri,), "Walk", True))
        group = made.group_handle
        assert made.is_end_to_end_encrypted and made.subject == "Walk" and made.participants == (ana.uri, ben.uri)
        at_ana, at_ben = ana.rcs.group_chat_events(), ben.rcs.group_chat_events()
        started = await first(at_ben)
        assert started == GroupChatStarted(ben.id, group, (ana.uri, ben.uri), ana.uri, "Walk", True)
        assert await first(at_ana) == GroupChatStarted(ana.id, group, (ana.uri, ben.uri), ana.uri, "Walk", True)

        # Encrypted, and told with its group; a report goes to one person.
        sent = ana.new_id()
        await ana.rcs.send_message(Text("at noon"), to=group, using=ana.id, message_id=sent)
        told, text = await ben.heard(Text)
        assert text == Text("at noon", True) and told.message.handle == ana.uri
        assert told.group_context == RCSGroupContext(group, is_end_to_end_encrypted=True)
        seen = DispositionNotification(Disposition.DISPLAYED, sent, True)
        await ben.rcs.send_message(seen, to=ana.uri, using=ben.id, message_id=ben.new_id(), group=group)
        told, _ = await ana.heard(DispositionNotification, lambda word: word == seen)
        assert told.message.handle == ben.uri and told.group_context == RCSGroupContext(group, True)
        request = SendEncryptedMessageRequest(Text("or one"), group, ana.id, ana.new_id())
        await ana.rcs.send_encrypted_message(request)
        assert (await ben.heard(Text))[1] == Text("or one", True)

        added = await ana.rcs.add_group_chat_participants(AddGroupChatParticipantsRequest(ana.id, group, (cleo.uri,)))
        assert added.added == (cleo.uri,)
        assert await first(at_ben) == GroupChatParticipantsAdded(ben.id, group, (cleo.uri,), ana.uri)
        assert await first(at_ana) == GroupChatParticipantsAdded(ana.id, group, (cleo.uri,), ana.uri)
        await ben.rcs.change_group_chat_subject(ChangeGroupChatSubjectRequest(ben.id, group, "Long walk"))
        assert await first(at_ana) == GroupChatSubjectUpdated(ana.id, group, "Long walk", ben.uri)
        removal = RemoveGroupChatParticipantsRequest(ana.id, group, (cleo.uri,))
        assert (await ana.rcs.remove_group_chat_participants(removal)).removed == (cleo.uri,)
        removed = GroupChatParticipantsRemoved(ana.id, group, (cleo.uri,), ana.uri, False)
        assert await first(at_ana) == removed
        at_cleo = cleo.rcs.group_chat_events()
        gone = await first(at_cleo, lambda event: isinstance(event, GroupChatParticipantsRemoved))
        assert gone == GroupChatParticipantsRemoved(cleo.id, group, (cleo.uri,), ana.uri, True)
        await ben.rcs.leave_group_chat(LeaveGroupChatRequest(ben.id, group))
        left = GroupChatParticipantsRemoved(ana.id, group, (ben.uri,), ben.uri, False)
        assert await first(at_ana) == left
        ended = await first(at_ben, lambda event: isinstance(event, GroupChatEnded))
        assert ended == GroupChatEnded(ben.id, group, ben.uri)
        with pytest.raises(RCSError) as caught:
            await ben.rcs.send_message(Text("hello?"), to=group, using=ben.id, message_id=ben.new_id())
        assert caught.value.code is RCSErrorCode.INVALID_ARGUMENT
        for text_of in ("at noon", "Walk", "or one"):
            assert not place.lab.overheard.heard(text_of)
        for stream in (at_ana, at_ben, at_cleo):
            await stream.aclose()


async def test_there_is_no_group_that_is_not_encrypted(tmp_path: Path) -> None:
    """SR-01: nobody is left out, and nothing is to be chosen."""
    async with ana_and_ben(tmp_path) as (ana, ben, _):
        for asked in (True, False):
            with pytest.raises(RCSError) as caught:
                await ana.rcs.create_group_chat(
                    CreateGroupChatRequest(ana.id, (ben.uri, uri(NOBODY)), "", is_end_to_end_encrypted=asked)
                )
            assert caught.value.code is RCSErrorCode.END_TO_END_ENCRYPTION_NOT_SUPPORTED
            assert caught.value.plaintext_options == ()
        assert await ana.client.groups() == []
        made = await ana.rcs.create_group_chat(CreateGroupChatRequest(ana.id, (ben.uri,)))
        assert made.is_end_to_end_encrypted and made.subject is None
        with pytest.raises(RCSError) as caught:
            await ana.rcs.add_group_chat_participants(
                AddGroupChatParticipantsRequest(ana.id, made.group_handle, (uri(NOBODY),))
            )
        assert caught.value.code is RCSErrorCode.END_TO_END_ENCRYPTION_NOT_SUPPORTED


async def test_handles_that_name_nothing(tmp_path: Path) -> None:
    async with ana_and_ben(tmp_path) as (ana, ben, _):
        group = (await ana.rcs.create_group_chat(CreateGroupChatRequest(ana.id, (ben.uri,)))).group_handle
        name = group.conversation_id
        for handle in (
            RCSGroupHandle("", "0" * 32),
            RCSGroupHandle("", "+15550199"),
            RCSGroupHandle("sip:focus@example.test", name),
        ):
            with pytest.raises(RCSError) as caught:
                await ana.rcs.leave_group_chat(LeaveGroupChatRequest(ana.id, handle))
            assert caught.value.code is RCSErrorCode.NOT_FOUND
        typing = ComposingIndicator(ComposingState.ACTIVE)
        with pytest.raises(RCSError) as caught:
            await ana.rcs.send_message(typing, to=group, using=ana.id, message_id=RCSMessageID("x"))
        assert caught.value.code is RCSErrorCode.NOT_SUPPORTED
        with pytest.raises(RCSError) as caught:
            await ana.rcs.remote_capabilities(RemoteCapabilitiesRequest(ana.id, group))
        assert caught.value.code is RCSErrorCode.NOT_SUPPORTED
        with pytest.raises(RCSError) as caught:
            await ana.rcs.send_message(Text("x"), to=ben.uri, using=ana.id, message_id=RCSMessageID("x"), group=group)
        assert caught.value.code is RCSErrorCode.NOT_FOUND
