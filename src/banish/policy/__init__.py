"""Decides who is banned and for how long: values and time in, decisions out."""
