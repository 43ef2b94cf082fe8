"""The ends of access control systems: how they are told of their cards."""
