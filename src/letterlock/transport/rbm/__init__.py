"""RCS Business Messaging for teams that write bots: an agent that sends (agent.py), a webhook that hears (webhook.py).

Nothing here is encrypted end to end: the platform and the carriers read what an agent and a user write.
"""

from __future__ import annotations

from ...codec.chatbot.rbm import AgentMessage, Traffic
from ...codec.chatbot.rbm_events import AgentEvent, ServerEvent, UserEvent, UserFile, UserMessage, UserPlace
from .account import ServiceAccount, read_service_account
from .agent import Capabilities, RbmAgent, Reach, UploadedFile
from .calls import RbmSettings
from .webhook import Webhook, WebhookSettings, is_signed

__all__ = [
    "AgentEvent",
    "AgentMessage",
    "Capabilities",
    "RbmAgent",
    "RbmSettings",
    "Reach",
    "ServerEvent",
    "ServiceAccount",
    "Traffic",
    "UploadedFile",
    "UserEvent",
    "UserFile",
    "UserMessage",
    "UserPlace",
    "Webhook",
    "WebhookSettings",
    "is_signed",
    "read_service_account",
]
