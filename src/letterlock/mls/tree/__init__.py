"""The ratchet tree of a group (RFC 9420 section 7).

`ratchet_tree` is the tree, an immutable value; `tree_math` the numbering of its nodes and `subtree` what it is
made of. `update_path` makes, merges and opens the path of a commit, with the hashes of `parent_hash`.
`validation` judges a tree from outside; `member_index` answers questions about all members at once.
"""
