"""From a command with tags to a script for a shell and its values; pure.

`reader` cuts a command at its tags and notes which program gets each of them,
`judge` decides from that what a value may hold there, `fitting` makes the value so,
and `script` puts both together. Actions and ``ignorecommand`` use the same.
"""
