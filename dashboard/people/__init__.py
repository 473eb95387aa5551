"""People: who has an account, what they may do, and every change to that."""
