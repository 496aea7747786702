"""The dashboard: what sessions there are, how much is left of each, and what to do. It looks on, and renews nothing."""
