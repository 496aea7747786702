"""The offline reference of AWS credential errors: pages, and the matcher that finds them."""
