"""How a Python service calls dinggate."""
