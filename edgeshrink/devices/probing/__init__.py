"""What a device is, found out with one shell script and pure parsing of its answer."""
