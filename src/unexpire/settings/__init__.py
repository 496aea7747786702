"""What the user configured: read, never written, and never asked of the network."""
