"""Pages about people: accounts, sign-ins, API tokens, settings, security."""
