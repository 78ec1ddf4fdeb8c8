"""How a group moves from one epoch to the next, as far as no secret is needed.

`public_group` (a server) and `group` (a member) both stand on this: who may send what (`senders`), which
leaves and key packages are valid (`leaf_rules`), which lists of proposals (`proposal_list`), and the next
tree and context that a commit leads to (`next_epoch`).
"""
