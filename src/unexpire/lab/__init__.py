"""An AWS on this machine whose credentials really do expire."""
