"""One member's side of an RCC.16 conversation: its MLS groups, what is sent and read, what is repaired.

A step is a `step.Work` on one record; the functions of this package are written on it, one family of messages a file:

* `letters`, `receipts`, `reports`, `resending`: what people write, that it arrived, that it did not and goes again.
  `encrypting`, `parking`.
* `eras`, `groups`, `claiming`: groups are made. `joining`, `fetched`: one is come into. `adopting`: it takes force.
* `committing`, `operations`, `refusals`: a commit of ours, from the wish to the order's word about it.
* `control`, `standing_in`: what the order hands on; what we say in its stead in a chat of two.
* `healing`, `repairs`, `trouble`: the ladder of repair. `ending`: encryption ends, and begins again.
* `metadata`: the subject. `members`, `pins`: who is there, by which key. `changing`, `wishes`: what the user wants, and
  cannot have.
* `receiving`, `running`: a packet comes; what follows until nothing more does. `viewing`, `sweeping`, `strangers`.
* `chat`: all that a step has to know. `records`, `chat_form`, `live`, `settings`, `posting`, `heads`: what is kept,
  written, limited.
"""
