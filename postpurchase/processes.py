"""Parents, children and their ends, on Linux."""

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1
# Loaded here and not after a fork, where loading a library is not safe.
_libc = ctypes.CDLL(None, use_errno=True)

# Exit code of a worker that had to give up and wants to be started again.
RESTART = 70


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent ends, however that ends. `parent` is the parent's id.

    Called in the child after the fork; the parent may be gone by then.
    """
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
