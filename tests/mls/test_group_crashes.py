"""A group whose members lose their memory all the time, and nothing else.

A server keeps everything in order and accepts the first commit of each epoch; members take messages from it in any
order, and store before they send or show (commit, then speak). Between any two of these a process may end. At the
end everybody has read everything that was said while they were members, exactly once, and no key was used twice.
After every step `Keeper.save` compares the group with one that is loaded from the store.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random

from crypto.deterministic import seeded_rng
from letterlock.errors import GroupInactive, MissingProposal
from letterlock.ids import Instant
from letterlock.mls.group.committing import CommitOptions
from letterlock.mls.group.group import Group
from letterlock.mls.group.results import Application, FutureEpoch, OwnEcho, PendingCommit, StagedCommit
from letterlock.mls.registries import REQUIRED_CAPABILITIES
from letterlock.mls.wire.extensions import Extension, RequiredCapabilities
from letterlock.mls.wire.proposals import Add, GroupContextExtensions, Proposal, Remove, SelfRemove

from .lab import LAB, NOW, assert_agree, make_client
from .storing import Keeper, find_psk

POLICY = replace(LAB, past_epochs=100, past_epoch_ms=10**12, future_epochs=3)
Send = Callable[[], None]


class Member(Keeper):
    """`inbox` are places in the server's log, `seen` what was read, as stored."""

    def __init__(self, name: str) -> None:
        super().__init__(name, policy=POLICY)
        self.inbox: list[int] = []
        self.seen: list[bytes] = []


@dataclass
class Story:
    random: Random
    crashes: float
    log: list[bytes] = field(default_factory=list)
    epoch: int = 0
    now: Instant = NOW
    members: list[Member] = field(default_factory=list)
    said: dict[str, list[bytes]] = field(default_factory=dict)
    """By reader, what there is to read."""
    keys: dict[tuple[int, int, int], bytes] = field(default_factory=dict)
    """What was read with the key of (epoch, sender, generation)."""
    counts: Counter[str] = field(default_factory=Counter)
    bundles: dict[bytes, Member] = field(default_factory=dict)
    named: int = 0

    # --- people --------------------------------------------------------------------------------------
    def newcomer(self) -> Member:
        self.named += 1
        member = Member(f"member {self.named}")
        self.said[member.name] = []
        return member

    def active(self) -> list[Member]:
        return [member for member in self.members if member.g.active]

    def add(self) -> Proposal:
        member = self.newcomer()
        bundle = member.package()
        self.bundles[bundle.reference] = member
        return Add(bundle.key_package)

    def enter(self, member: Member, join: Callable[[], object]) -> None:
        join()
        if self.random.random() < self.crashes:
            join()  # nothing of the first time was stored
        member.save()
        self.members.append(member)

    # --- one step of one member: do, store, speak, and a crash anywhere in between -------------------
    def step(self, member: Member, do: Callable[[Member], Send | None]) -> None:
        taken = (list(member.inbox), list(member.seen))
        send = do(member)
        if self.random.random() < self.crashes:
            self.counts["crash before storing"] += 1
            member.crash()
            member.inbox, member.seen = taken
            return
        member.save()
        if self.random.random() < self.crashes:
            self.counts["crash after storing"] += 1
            member.crash()
        if send is not None:
            send()

    def publish(self, message: bytes) -> None:
        self.log.append(message)
        for member in self.members:
            member.inbox.append(len(self.log) - 1)

    # --- what a member does --------------------------------------------------------------------------
    def say(self, member: Member) -> Send | None:
        if list(member.g.proposals()):
            return None
        text = b"%d by %s" % (len(self.log), member.name.encode())
        message = member.say(text)
        readers = [leaf.credential.identity.decode() for _, leaf in member.g.members()]

        def send() -> None:
            self.counts["said"] += 1
            self.publish(message)
            for name in readers:
                if name != member.name:
                    self.said[name].append(text)

        return send

    def propose(self, member: Member) -> Send | None:
        public = self.random.random() < 0.5
        if self.random.random() < 0.3:
            message = member.g.propose_update(rng=member.rng, now=self.now, public=public)
        else:
            message = member.propose(self.proposal(member), public=public)
        return lambda: self.publish(message)

    def proposal(self, member: Member) -> Proposal:
        others = [leaf for leaf, _ in member.g.members() if leaf != member.g.own_leaf]
        choices: list[Callable[[], Proposal]] = [
            self.add,
            lambda: member.g.external_psk(b"psk", rng=member.rng),
            lambda: GroupContextExtensions(
                (Extension(REQUIRED_CAPABILITIES, RequiredCapabilities((), (), ()).encode()),)
            ),
        ]
        if len(others) > 3:
            choices += [lambda: Remove(self.random.choice(others)), SelfRemove]
        return self.random.choice(choices)()

    def commit(self, member: Member) -> Send | None:
        if member.g.pending is not None:
            return None
        epoch = member.g.epoch
        given = [self.add()] if self.random.random() < 0.3 else []
        rotate = None
        if self.random.random() < 0.2:
            rotate = make_client(member.name, rng=seeded_rng(f"{member.name} {len(self.log)}"), policy=POLICY)
            member.rotated = rotate
        public = self.random.random() < 0.5
        path = rotate is not None or self.random.random() < 0.7
        options = CommitOptions(public=public, path=path, rotate=rotate)
        pending = member.g.commit(given, options=options, rng=member.rng, now=self.now)
        return lambda: self.submit(epoch, pending)

    def submit(self, epoch: int, pending: PendingCommit) -> None:
        """The server takes the first commit of an epoch. Who lost finds out by the other one."""
        if epoch != self.epoch:
            self.counts["commit refused"] += 1
            return
        self.counts["commit accepted"] += 1
        self.epoch += 1
        self.publish(pending.message)
        for welcome in pending.welcomes:
            for reference in welcome.members:
                member = self.bundles[reference]
                self.enter(member, lambda member=member, welcome=welcome: member.join(welcome.message))  # type: ignore[misc]

    def join_externally(self) -> None:
        inside = [member for member in self.active() if member.g.epoch == self.epoch]
        if not inside:
            return
        member, info = self.newcomer(), inside[0].g.group_info()

        def join() -> None:
            member.group, self.made = Group.join_externally(
                member.client, info, find_psk=find_psk, rng=member.rng, now=self.now
            )

        self.enter(member, join)
        self.counts["joined from outside"] += 1
        self.epoch += 1
        self.publish(self.made.message)
        member.inbox.clear()

    # --- what a member gets --------------------------------------------------------------------------
    def take(self, member: Member, ahead: int) -> Send | None:
        place = self.random.choice(member.inbox[:ahead])
        if self.process(member, self.log[place]):
            member.inbox.remove(place)
        return None

    def process(self, member: Member, message: bytes) -> bool:
        """Whether the message is done with."""
        group = member.g
        try:
            result = group.process(message, now=self.now)
        except MissingProposal:
            self.counts["missing proposal"] += 1
            return False
        except GroupInactive:
            return True
        self.counts[type(result).__name__] += 1
        match result:
            case Application(data=data):
                key = (result.epoch, result.sender, result.generation)
                assert self.keys.setdefault(key, data) == data, "a generation was used twice"
                assert data not in member.seen
                member.seen.append(data)
            case FutureEpoch(held=held):
                return held
            case StagedCommit() | OwnEcho(pending=PendingCommit()):
                commit = result.pending if isinstance(result, OwnEcho) else result
                assert commit is not None
                # What was held is processed before anything is stored, or goes back to where it came from.
                for due in group.merge(commit, now=self.now):
                    if not self.process(member, due):
                        member.inbox.insert(0, self.log.index(due))
        return True

    # --- the story -----------------------------------------------------------------------------------
    def begin(self, size: int) -> None:
        first = self.newcomer()
        self.enter(first, lambda: first.create())
        self.epoch = 0
        pending = first.commit([self.add() for _ in range(size - 1)])
        first.save()
        self.submit(0, pending)

    def go_on(self) -> None:
        self.now += self.random.randrange(1_000)
        active = self.active()
        member = self.random.choice(active)
        if self.random.random() < 0.75:
            member = max(active, key=lambda m: len(m.inbox) + self.random.random())
            if member.inbox:
                self.step(member, lambda m: self.take(m, 5))
                return
        chance = self.random.random()
        late = member.g.epoch < self.epoch and self.random.random() < 0.8
        if chance < 0.4:
            self.step(member, self.say)
        elif chance < 0.7:
            if not late:
                self.step(member, self.propose)
        elif chance < 0.98 or len(self.members) > 12:
            if not late:
                self.step(member, self.commit)
        else:
            self.join_externally()

    def end(self) -> None:
        """Everything is delivered, in order."""
        for member in self.members:
            for _ in range(20 * len(self.log)):
                if not member.inbox:
                    break
                self.step(member, lambda m: self.take(m, 1))
            assert not member.inbox
        active = self.active()
        assert active and all(member.g.epoch == self.epoch for member in active)
        assert_agree(active)
        for member in self.members:
            assert sorted(member.seen) == sorted(self.said[member.name]), member.name


def test_nothing_is_lost_and_nothing_used_twice() -> None:
    counts: Counter[str] = Counter()
    for seed in range(6):
        story = Story(Random(seed), crashes=0.2)
        story.begin(5)
        for _ in range(250):
            story.go_on()
        story.end()
        assert story.epoch > 2
        counts += story.counts
    # That all of it happened.
    for what, least in {
        "crash before storing": 200,
        "crash after storing": 200,
        "said": 50,
        "commit accepted": 25,
        "commit refused": 2,
        "joined from outside": 3,
        "Application": 200,
        "ProposalReceived": 150,
        "StagedCommit": 200,
        "OwnEcho": 30,
        "FutureEpoch": 30,
        "PastEpoch": 1,
        "missing proposal": 5,
    }.items():
        assert counts[what] >= least, (what, counts)
