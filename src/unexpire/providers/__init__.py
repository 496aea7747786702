"""One kind of credential source a file: recognise it offline, fetch from it, know its limits."""
