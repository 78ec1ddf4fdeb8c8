"""The public asynchronous API, and the driver that owns a profile: load, step, commit, perform."""

from __future__ import annotations

from .accounts import ContentAccount, GatewayAccount, KdsAccount, SipAccount, SmsAccount
from .api import CertificateInfo, Delivered, DeviceInfo, EncryptionInfo, GroupInfo, GroupMember, Me, SmsInfo
from .bot_chat import BotChat
from .chat import Chat
from .checkpoints import CHECKPOINTS
from .client import Client
from .conversation import Conversation
from .environment import Environment
from .files.cached import CachedFile, CacheInfo
from .files.reader import FileReader
from .files.records import TransferInfo, TransferStage, TransferState
from .files.transfer import TotalProgress, Transfer
from .group import Group
from .history import ChatSummary, FreshCode, Hit, Hits, Window
from .provisioned import ProvisioningState
from .settings import Settings

__all__ = [
    "CHECKPOINTS",
    "BotChat",
    "CacheInfo",
    "CachedFile",
    "CertificateInfo",
    "Chat",
    "ChatSummary",
    "Client",
    "ContentAccount",
    "Conversation",
    "Delivered",
    "DeviceInfo",
    "EncryptionInfo",
    "Environment",
    "FileReader",
    "FreshCode",
    "GatewayAccount",
    "Group",
    "GroupInfo",
    "GroupMember",
    "Hit",
    "Hits",
    "KdsAccount",
    "Me",
    "ProvisioningState",
    "Settings",
    "SipAccount",
    "SmsAccount",
    "SmsInfo",
    "TotalProgress",
    "Transfer",
    "TransferInfo",
    "TransferStage",
    "TransferState",
    "Window",
]
