"""Chats and groups whose protocol keeps the members itself (`rcc16`): what it reports and wants, as the engine has it."""
