"""How a conversation is kept healthy: the state table, budgets, the order of repair."""
