"""Compilers that can make a runner, one a file. Each offers `NAME`, `FIX` and `find(platform)`."""
