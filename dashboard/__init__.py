"""The operator's console over session stores: settings, screens, accounts, audit and health."""
