"""A member's view of a group: `group.Group` is the front, `results` what its methods give.

Below it by what happens: `committing` and `following` make and follow commits, `welcoming`, `group_infos` and
`joining` bring members in, `external` and `linking` are the other two ways into a group, `messages` protects and opens
what travels, `epoch` holds the secrets, `rows` stores them and `row_loading` reads them back.
"""
