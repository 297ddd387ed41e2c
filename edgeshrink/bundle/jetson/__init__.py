"""Jetson: the tree as it is installed, and a .deb made of it. Source: Debian Policy 4.6, deb(5), systemd.unit(5)."""
