"""Where code runs: this machine (`local`, `state`) and attached devices.

`transports`: the ways to a device. `probing`: what it is. `matching`, `draft`: whose profile it has. `device_state`:
what it is doing.
"""
