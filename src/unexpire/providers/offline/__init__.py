"""Recognises every kind of credential source without asking it: one function a kind, each as botocore's provider of that name does.

A function gives None where there is no such source, else a Candidate: usable, skipped or fatal, as botocore would have it.
"""
