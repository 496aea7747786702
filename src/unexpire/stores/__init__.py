"""What lies on disk between runs: AWS files, the caches of AWS tools, our own sessions."""
