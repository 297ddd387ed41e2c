"""Ways to a device, one a file behind one interface: this machine, ssh, adb."""
