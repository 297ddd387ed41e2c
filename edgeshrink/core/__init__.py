"""Values: frozen, without I/O, without torch. Everything else passes these to each other."""
