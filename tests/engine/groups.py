"""Groups in the world of the engine's tests: people by number, what each shows, and that they agree."""

from __future__ import annotations

from engine.world import Phone, World
from letterlock.engine.events import Event, MessageReceived, MessageSent
from letterlock.engine.groups.history import NOTICE_TYPE
from letterlock.engine.record_values import Message
from letterlock.ids import GroupName, Number, number

__all__ = [
    "acquainted",
    "add",
    "create",
    "history",
    "leave",
    "number_of",
    "people",
    "remove",
    "roster",
    "rosters",
    "shown",
]


def number_of(place: int) -> Number:
    return number(f"+1555{place:06d}")


def people(world: World, count: int, devices: int = 1) -> list[Phone]:
    """So many people with one device each (more for the first, if asked for)."""
    phones = world.person(number_of(1), devices)
    for place in range(2, count + 1):
        phones += world.person(number_of(place))
    return phones


def acquainted(world: World, phone: Phone, numbers: list[Number]) -> None:
    """The phone knows the keys of these numbers."""
    for each in numbers:
        phone.do(phone.engine.open_chat, each)
    world.run()


def create(world: World, creator: Phone, others: list[Phone], subject: str = "Hikers") -> GroupName:
    numbers = list(dict.fromkeys(phone.number for phone in others))
    acquainted(world, creator, numbers)
    return creator.do(creator.engine.create_group, numbers, subject)


def add(world: World, by: Phone, name: GroupName, who: Phone) -> None:
    acquainted(world, by, [who.number])
    by.do(by.engine.add_members, name, [who.number])


def remove(by: Phone, name: GroupName, who: Phone) -> None:
    by.do(by.engine.remove_member, name, who.number)


def leave(who: Phone, name: GroupName) -> None:
    who.do(who.engine.leave_group, name)


def roster(phone: Phone, name: GroupName) -> list[Number]:
    """The members by this phone's log, in their order; empty when it knows no such group."""
    return [member.number for member in phone.engine.group(phone.state, name).members]


def rosters(phones: list[Phone], name: GroupName) -> set[tuple[Number, ...]]:
    return {tuple(roster(phone, name)) for phone in phones}


def shown(phone: Phone, name: GroupName) -> list[str]:
    """The texts of the group as this phone told them."""
    return [
        event.text or ""
        for event in phone.events
        if isinstance(event, MessageReceived | MessageSent) and event.chat == name
    ]


def history(phone: Phone, name: GroupName) -> list[Message]:
    """The group's chat as it is stored, with its notices."""
    return phone.history(name)


def notices(phone: Phone, name: GroupName) -> list[str]:
    return [message.text or "" for message in history(phone, name) if message.content_type == NOTICE_TYPE]


def told(phone: Phone, name: GroupName, *kinds: type[Event]) -> list[Event]:
    return [event for event in phone.events if isinstance(event, kinds) and getattr(event, "chat", None) == name]
