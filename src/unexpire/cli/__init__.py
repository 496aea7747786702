"""The commands, one a file; `render` holds the wording they share."""
