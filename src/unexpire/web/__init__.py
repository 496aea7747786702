"""The dashboard on loopback."""
