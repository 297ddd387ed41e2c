"""Makes our native runner for a device from llama.cpp's sources, with whichever compiler is here."""
