"""Every error that edgeshrink raises on purpose.

Error                       exit 2, one clear sentence and a hint
├── UsageError              a flag, an argument or an output folder is wrong
├── DataError               a profile, target, model or GGUF file is wrong (says file and key)
│   └── UnsupportedModel    the model is well formed, and edgeshrink cannot build it
├── PlanError               no plan can be made of this request
├── StepFailed              a step did not finish, or its result is not what it promised
│   └── ParityError         the finished file does not behave like its source
├── RuntimeFailed           a runtime refused the artifact or died while running it
├── DeviceError             a device refused, or its answer is not what it must be
│   └── DeviceLost          the link to a device broke or stalled
├── NoSpace                 the disk is full, here or on a device
└── ToolMissing             a program or a package is not installed
"""

import errno

# What the system says when a disk or a quota is full; Windows knows no quota by that name.
NO_SPACE = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


class Error(Exception):
    """Something the person at the keyboard can act on: `message` says what and where, `hint` what to do next."""

    exit_code = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(Error):
    """A flag, an argument or an output folder is wrong."""


class DataError(Error):
    """A file read from disk is not what it should be."""


class UnsupportedModel(DataError):
    """The model is well formed, and edgeshrink cannot build it."""


class PlanError(Error):
    """No plan can be made of this request."""


class StepFailed(Error):
    """A step did not finish, or its result is not what it promised."""


class ParityError(StepFailed):
    """The finished file does not behave like its source."""


class RuntimeFailed(Error):
    """A runtime refused the artifact, or died while running it."""


class DeviceError(Error):
    """A device refused, or its answer is not what it must be."""


class DeviceLost(DeviceError):
    """The link to a device broke, or was silent for too long."""


class NoSpace(Error):
    """The disk is full, here or on a device: nothing half-written is left behind."""


class ToolMissing(Error):
    """A program or a package that this needs is not installed."""
