"""Is an answer right? One scorer a file, behind the interface of `interface.py`; `registry.py` names them all."""
