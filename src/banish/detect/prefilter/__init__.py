"""Says which lines of a block could match at all, before anything is decoded.

The truth of a match is always `re` on the decoded line. The prefilter may only
say *no*, and only where it is sure; the law is that with and without it the
same failures come out. `outline` reduces a regular expression to what a text
must hold to match, `cut` says what the missing time may hide, `expression`
turns both into bytes, `plan` gathers that for all jails of a log, and `block`
runs it. docs/adr/0012-block-prefilter.md says why each step is sound.
"""
