"""Programs for people: they phrase results and errors and own no logic."""
