"""Test devices: arm64 roots under qemu-user behind a real sshd and the real adb client, on loopback only."""
