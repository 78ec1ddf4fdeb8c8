"""How a conversation is kept healthy: the state table, budgets, the order of repair.

Pure values and decisions; the conversation machine asks them and does what they say. `states` and `transitions` are
what deployed clients have in common; `budgets` holds every number; `ladder`, `verdict`, `election`, `ending` and
`latch` are one decision each.
"""
