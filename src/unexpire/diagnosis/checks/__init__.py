"""Pure functions from a Snapshot to Findings, one file a subject."""
