"""How credentials reach a program: exports, processes, endpoints, children, sessions."""
