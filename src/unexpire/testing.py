"""The pytest plugin: an AWS whose credentials expire, for the tests of other projects."""
