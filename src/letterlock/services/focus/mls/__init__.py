"""The ordering of a conversation's MLS commits at the focus (rcc16.md 2.2 to 2.6, 3, 4.5, 5.8).

`logic.OrderedGroup` is one conversation, pure: `judge` says what a control message comes to, `install` makes it so,
`plan_pull` and `answer_pull` give a member what it missed, `judge_application` lets application messages pass.

* `state`: what is kept of a group between requests, and the history of what was accepted.
* `outcome`: what a judgement comes to: `Accepted` with all that follows, `Repeated`, `Refused` with a server reason.
* `limits`, `quota`: numbers.
* `reading`, `founding`, `following`, `proposing`: the numbered checks of new groups and eras, of commits, of proposals.
* `passing`: application messages. `pulling`: what a member that fell behind is given.
"""

from __future__ import annotations
