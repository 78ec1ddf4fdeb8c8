"""The ordering of a conversation's MLS commits at the focus (rcc16.md 2.2 to 2.6, 3, 4.5, 5.8).

`logic.OrderedGroup(terms, group_id)` is one conversation, pure:

* `judge(request, message_id, sender, roster, now) -> Accepted | Repeated | Refused`: changes nothing.
* `install(accepted)`: after it was written.
* `plan_pull(requester, known, max_messages=...) -> PullPlan | Refused`, `answer_pull(snapshot, plan, data, limits) -> bytes`:
  what a member missed. `data` are the bytes of records by serial (`Accepted.record`), `snapshot` the newest one accepted.
* `judge_application(sender, era, authenticator, body, now)`, `judge_receipt(era)`: None lets it pass, else `Refused`.
* `stored(terms, state, snapshot, now)`: from what was written.

`Terms(suite, policy, authentication, limits)` is by what it judges.

* `state`: what is kept of a group between requests, and the history of what was accepted.
* `outcome`: what a judgement comes to: `Accepted` with all that follows, `Repeated`, `Refused` with a server reason.
* `limits`, `quota`: numbers. `leaves`: whose a leaf is. `refusing`: rules with server reasons.
* `founding`, `following`, `proposing`: the numbered checks of new groups and eras, of commits, of proposals.
* `passing`: application messages. `pulling`: what a member that fell behind is given.
"""

from __future__ import annotations
