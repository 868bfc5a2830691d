"""Finds out who is exempt, which means: never banned.

`edge` is the door. `lists` keeps ``ignoreip`` and ``ignoreself`` fresh, `host` the
option ``guard``, and `command` asks ``ignorecommand``. What follows from it is
decided in `banish.policy.exempt`.
"""
