"""Recording what updates cost, in the process that makes them."""
