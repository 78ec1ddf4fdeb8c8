"""RCSService: everything of RCS on one line. It phrases, and decides nothing about encryption.

Two rules are Apple's and ours together (SR-01): what is to be encrypted, and cannot be, raises and does not leave; and
where encryption is not demanded nothing leaves in the clear either, until the user has chosen one of the
`plaintext_options` of the error that says so. That choice is given as `plaintext_decision`, once.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator
from typing import NoReturn

from .. import ids
from ..client import Client, Conversation, Group, ProvisioningState
from ..codec.file_names import safe_file_name
from ..engine.events import CapabilitiesChanged, KeysChanged, ProvisioningChanged, Recorded, SecurityChanged
from ..engine.policy import PlainOption
from ..engine.record_values import Status
from ..errors import InputError
from .business import SuggestionResponse
from .capabilities import (
    OF_A_BUSINESS,
    CachePolicy,
    RCSConfiguration,
    RemoteCapabilities,
    RemoteCapabilitiesRequest,
    RemoteHandleUpdate,
    ViabilityNotification,
    capabilities_of,
)
from .errors import RCSError, RCSErrorCode, rcs_errors, unsupported
from .files import (
    FileDownloadMetadata,
    FileDownloadRequest,
    FileUploadMetadata,
    FileUploadRequest,
    file_of,
    metadata_of,
)
from .groups import (
    AddGroupChatParticipantsRequest,
    AddGroupChatParticipantsResult,
    ChangeGroupChatSubjectRequest,
    CreateGroupChatRequest,
    CreateGroupChatResult,
    GroupChatEvent,
    LeaveGroupChatRequest,
    RemoveGroupChatParticipantsRequest,
    RemoveGroupChatParticipantsResult,
    group_event,
)
from .handles import (
    RCSURI,
    CellularServiceID,
    RCSGroupHandle,
    RCSHandle,
    RCSMessageID,
    chat_of,
    group_handle,
    group_name,
    handle_of,
    number_of,
)
from .incoming import IncomingMessageNotification, notification
from .messages import (
    ComposingIndicator,
    DispositionNotification,
    RCSContent,
    SecureSendReceipt,
    SendEncryptedMessageRequest,
    SendEncryptedMessageResult,
)
from .requests import BusinessInformationRequest, ReportSpamRequest, RevokeMessageRequest
from .sending import answer, dispose, must_be_encrypted, post, say_composing, sendable, tell_device
from .streams import follow

__all__ = ["RCSService"]


class RCSService:
    """RCS on the line of a session. Raises RCSError, and SessionError when the session is closed."""

    def __init__(self, client: Client, line: CellularServiceID) -> None:
        self._client = client
        self._line = line

    # --- the line ----------------------------------------------------------------------------------------------
    async def is_viable(self, service_id: CellularServiceID) -> bool:
        """Whether there is a carrier, and it may be used. What is sent without one waits; it is not lost."""
        with rcs_errors():
            return service_id == self._line and await self._client.carried()

    def viability_notifications(self) -> AsyncGenerator[ViabilityNotification, None]:
        """Each word of the operator that the service may be used, or not any more."""

        async def told(recorded: Recorded) -> ViabilityNotification | None:
            event = recorded.event
            # What was refused changes nothing; what was taken is in use a moment later.
            if not isinstance(event, ProvisioningChanged) or event.state == "refused":
                return None
            working = ProvisioningState(event.state) in (ProvisioningState.ACTIVE, ProvisioningState.UNKNOWN)
            return ViabilityNotification(self._line, working)

        return follow(self._client, "telephony.viability", told, rcs_errors)

    def configuration(self, service_id: CellularServiceID) -> RCSConfiguration:
        """The bounds of this line."""
        with rcs_errors():
            self._check(service_id)
            limits = self._client.limits
            return RCSConfiguration(
                maximum_text_message_bytes=limits.max_text,
                maximum_file_transfer_bytes=None,
                file_transfer_warning_bytes=None,
                chat_revoke_timeout=None,
                maximum_group_size=limits.group.max_members,
                supports_end_to_end_encryption=True,
            )

    # --- messages ----------------------------------------------------------------------------------------------
    async def send_message(
        self,
        content: RCSContent,
        *,
        to: RCSHandle,
        using: CellularServiceID,
        message_id: RCSMessageID,
        group: RCSGroupHandle | None = None,
        plaintext_decision: PlainOption | None = None,
    ) -> None:
        """Send; when this returns it is on disk and on its way. `group` is for a disposition of what was said in one.

        With `is_end_to_end_encrypted` it is encrypted, or END_TO_END_ENCRYPTION_NOT_SUPPORTED is raised. Without, it is
        encrypted wherever the chat is. Where that cannot be, the same error has `plaintext_options`: what the user may
        choose, and is to give as `plaintext_decision`. While keys are being looked up a message may wait, and is encrypted
        later or not sent.
        """
        with rcs_errors():
            self._check(using)
            if isinstance(content, DispositionNotification):
                await dispose(self._client, content, group or to)
                return
            if group is not None:
                raise InputError("only a disposition names a group beside its receiver", code="input.group")
            if isinstance(content, ComposingIndicator):
                await say_composing(self._client, content, to)
                return
            conversation = await self._conversation(to)
            encrypted = must_be_encrypted(content)
            await post(self._client, conversation, sendable(content), message_id, encrypted, plaintext_decision)

    async def send_encrypted_message(self, request: SendEncryptedMessageRequest) -> SendEncryptedMessageResult:
        """Send encrypted, or raise END_TO_END_ENCRYPTION_NOT_SUPPORTED.

        What its reader could not decrypt is encrypted again here, by itself, under the same id: the disposition says that
        it happened. A retry with the receipt of the first sending is answered with that receipt, and nothing is sent
        twice. NOT_FOUND for a message that was not sent encrypted, PERMANENT_ERROR for one that was given up: that one
        is sent as a new message.
        """
        with rcs_errors():
            self._check(request.cellular_service_id)
            conversation = await self._conversation(request.destination)
            receipt = SecureSendReceipt.of(conversation.name, request.message_id)
            if request.secure_send_receipt is None:
                await post(self._client, conversation, sendable(request.content), request.message_id, encrypted=True)
            else:
                await self._retry(conversation, request, receipt)
            return SendEncryptedMessageResult(receipt)

    async def _retry(
        self, conversation: Conversation, request: SendEncryptedMessageRequest, receipt: SecureSendReceipt
    ) -> None:
        if request.secure_send_receipt != receipt:
            raise InputError(
                "the receipt is of another message", code="input.receipt", hint="a retry has the id of its message"
            )
        mine = [view for view in await conversation.find(request.message_id) if view.mine and view.encrypted]
        if not mine:
            raise InputError("there is no such message", code="input.target")
        if mine[0].status in (Status.FAILED, Status.EXPIRED):
            raise RCSError(
                RCSErrorCode.PERMANENT_ERROR,
                "the message was given up",
                hint="send it as a new message, without the receipt",
            )

    def incoming_message_notifications(self) -> AsyncGenerator[IncomingMessageNotification, None]:
        """What others have sent, and what has become of our messages, from where the application was."""

        async def told(recorded: Recorded) -> IncomingMessageNotification | None:
            return await notification(self._client, self._line, recorded)

        return follow(self._client, "telephony.messages", told, rcs_errors)

    async def revoke_message(self, request: RevokeMessageRequest) -> bool:
        """Take a message back that nobody has got yet; False when somebody has. Whoever gets it all the same deletes it
        unseen: a delete is on its way, protected as the message was."""
        with rcs_errors():
            self._check(request.cellular_service_id)
            conversation = await self._conversation(request.handle)
            mine = [view for view in await conversation.find(request.message_id) if view.mine]
            if not mine:
                raise InputError("there is no such message", code="input.target")
            if mine[0].deleted or mine[0].status not in (Status.WAITING, Status.SENDING, Status.ACCEPTED):
                return False
            await conversation.delete(request.message_id)
            return True

    async def report_spam(self, request: ReportSpamRequest) -> None:
        """NOT_SUPPORTED: nobody here takes such reports, and what was encrypted would leave the encryption by one."""
        with rcs_errors():
            self._check(request.message.cellular_service_id)
            raise unsupported("there is nobody to report spam to")

    # --- files -------------------------------------------------------------------------------------------------
    async def upload(
        self, request: FileUploadRequest, *, plaintext_decision: PlainOption | None = None
    ) -> FileUploadMetadata:
        """Put a file where the chat that it is for finds it: encrypted, where that chat is.

        Raises as `send_message` does, before the first byte leaves: what is uploaded in the clear is read by whoever
        runs the server. The decision is used up by the message with the file, and not by this.
        """
        with rcs_errors():
            self._check(request.cellular_service_id)
            if request.destination is None:
                raise InputError(
                    "an upload names the chat that it is for", code="input.destination", hint="destination="
                )
            conversation = await self._conversation(request.destination)
            path, small = request.file_path, request.thumbnail_path
            transfer = await conversation.upload(
                path,
                name=path.name,
                content_type=request.content_type or "",
                thumbnail=small,
                thumbnail_type=request.thumbnail_content_type or "image/jpeg",
                allow=plaintext_decision,
                only_encrypted=request.is_end_to_end_encrypted,
            )
            whole, thumbnail = metadata_of(await transfer.file())
            return FileUploadMetadata(uuid.UUID(transfer.id), whole, thumbnail)

    async def download(self, request: FileDownloadRequest) -> FileDownloadMetadata:
        """Fetch a file; it appears at its destination when all of it was verified (SR-15)."""
        with rcs_errors():
            self._check(request.cellular_service_id)
            if (request.file_metadata is None) == (request.file_url is None):
                raise InputError("give the metadata of a file, or a bare address", code="input.file")
            if request.file_metadata is None:
                transfer = await self._client.download(request.file_url or "", request.destination_path)
                await transfer.wait()
                return FileDownloadMetadata(None, None)
            file, thumbnail = file_of(request.file_metadata)
            transfer = await self._client.download(file, request.destination_path, thumbnail=thumbnail)
            await transfer.wait()
            name = request.file_metadata.file_name
            return FileDownloadMetadata(
                request.file_metadata.content_type, None if name is None else safe_file_name(name)
            )

    # --- others ------------------------------------------------------------------------------------------------
    async def remote_capabilities(self, request: RemoteCapabilitiesRequest) -> RemoteCapabilities | None:
        """What somebody can do; None when nothing is known. CACHE_ONLY asks nobody, and so knows encryption alone."""
        with rcs_errors():
            self._check(request.cellular_service_id)
            if isinstance(request.handle, RCSGroupHandle):
                raise unsupported("a group is asked nothing", hint="ask its members")
            name = chat_of(request.handle)
            if ids.bot_of(name) is not None:
                return OF_A_BUSINESS
            name = number_of(request.handle)
            if request.cache_policy is CachePolicy.CACHE_ONLY:
                known = [chat for chat in await self._client.chats() if chat.name == name]
                return capabilities_of(known[0].security, None) if known else None
            chat = await self._client.chat(name)
            await self._client.settled()
            return capabilities_of(chat.security, await chat.capabilities())

    async def send_suggestion_response(
        self, response: SuggestionResponse, *, plaintext_decision: PlainOption | None = None
    ) -> None:
        """Answer a business. Such chats are never encrypted: raises as `send_message` does until the user has decided."""
        with rcs_errors():
            self._check(response.cellular_service_id)
            await answer(self._client, response, plaintext_decision)

    async def send_device_specifics(
        self,
        *,
        to: RCSURI,
        using: CellularServiceID,
        message_id: RCSMessageID,
        plaintext_decision: PlainOption | None = None,
    ) -> None:
        """Tell a business about the device, as it asked and the user agreed. Raises as `send_message` does."""
        with rcs_errors():
            self._check(using)
            await tell_device(self._client, to, message_id, plaintext_decision)

    async def business_information(self, request: BusinessInformationRequest) -> NoReturn:
        """NOT_SUPPORTED: nothing here asks for the profile of a business."""
        with rcs_errors():
            self._check(request.cellular_service_id)
            raise unsupported("there is nobody to ask about a business")

    def remote_handle_updates(self) -> AsyncGenerator[RemoteHandleUpdate, None]:
        """Each time when somebody can do something else than before, or has other keys."""

        async def told(recorded: Recorded) -> RemoteHandleUpdate | None:
            event = recorded.event
            if not isinstance(event, CapabilitiesChanged | KeysChanged | SecurityChanged):
                return None
            if not event.chat.startswith("+"):
                return None
            features = event.features if isinstance(event, CapabilitiesChanged) else None
            now = self._client.profile.security(event.chat)
            return RemoteHandleUpdate(self._line, handle_of(event.chat), capabilities=capabilities_of(now, features))

        return follow(self._client, "telephony.handles", told, rcs_errors)

    # --- groups ------------------------------------------------------------------------------------------------
    async def create_group_chat(self, request: CreateGroupChatRequest) -> CreateGroupChatResult:
        """A new group. It is encrypted in any case: END_TO_END_ENCRYPTION_NOT_SUPPORTED when somebody has no keys."""
        with rcs_errors():
            self._check(request.cellular_service_id)
            numbers = [number_of(uri) for uri in request.participants]
            info = await (await self._client.create_group(numbers, request.subject)).info()
            members = tuple(handle_of(member.number) for member in info.members)
            return CreateGroupChatResult(group_handle(info.group), members, info.subject or None)

    async def leave_group_chat(self, request: LeaveGroupChatRequest) -> None:
        """We leave; what there is stays readable."""
        with rcs_errors():
            await (await self._group(request.cellular_service_id, request.group_handle)).leave()

    async def add_group_chat_participants(
        self, request: AddGroupChatParticipantsRequest
    ) -> AddGroupChatParticipantsResult:
        """All of them, or none: END_TO_END_ENCRYPTION_NOT_SUPPORTED when one has no keys."""
        with rcs_errors():
            group = await self._group(request.cellular_service_id, request.group_handle)
            await group.add(*(number_of(uri) for uri in request.participants))
            return AddGroupChatParticipantsResult(request.participants)

    async def remove_group_chat_participants(
        self, request: RemoveGroupChatParticipantsRequest
    ) -> RemoveGroupChatParticipantsResult:
        """One after another; INVALID_ARGUMENT at the first who was in the group before us, or is not in it."""
        with rcs_errors():
            group = await self._group(request.cellular_service_id, request.group_handle)
            for uri in request.participants:
                await group.remove(number_of(uri))
            return RemoveGroupChatParticipantsResult(request.participants)

    async def change_group_chat_subject(self, request: ChangeGroupChatSubjectRequest) -> None:
        """Call the group otherwise, for everybody."""
        with rcs_errors():
            group = await self._group(request.cellular_service_id, request.group_handle)
            await group.set_subject(request.new_subject)

    def group_chat_events(self) -> AsyncGenerator[GroupChatEvent, None]:
        """What has happened to groups, from where the application was."""

        async def told(recorded: Recorded) -> GroupChatEvent | None:
            return group_event(recorded.event, self._line, self._client.number)

        return follow(self._client, "telephony.groups", told, rcs_errors)

    # --- inside ------------------------------------------------------------------------------------------------
    def _check(self, service_id: CellularServiceID) -> None:
        if service_id != self._line:
            raise InputError(
                "not a line of this session", code="input.line", hint="session.cellular_services() has them"
            )

    async def _conversation(self, handle: RCSHandle) -> Conversation:
        return await self._client.conversation(chat_of(handle))

    async def _group(self, service_id: CellularServiceID, handle: RCSGroupHandle) -> Group:
        self._check(service_id)
        return await self._client.group(group_name(handle))
