"""Looks at a set-up and says what is wrong with it; it never renews anything."""
