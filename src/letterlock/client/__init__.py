"""The public asynchronous API, and the driver that owns a profile: load, step, commit, perform."""

from __future__ import annotations

from .api import DeviceInfo, Me
from .chat import Chat
from .checkpoints import CHECKPOINTS
from .client import Client
from .environment import Environment
from .settings import ContentAccount, Settings, SipAccount
from .transfer import Transfer
from .transfer_records import TransferInfo, TransferState

__all__ = [
    "CHECKPOINTS",
    "Chat",
    "Client",
    "ContentAccount",
    "DeviceInfo",
    "Environment",
    "Me",
    "Settings",
    "SipAccount",
    "Transfer",
    "TransferInfo",
    "TransferState",
]
