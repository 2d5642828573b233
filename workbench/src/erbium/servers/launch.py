"""The trampoline every child goes through: give up rights, tie its life to its starter's, become the program.

`python -IS launch.py <starter's pid> <signal|0> <pipe|-> <uid:gid|-> program argument...`

Nothing but the standard library, and nothing of Erbium: it runs isolated, before the identity changes. The process id stays
the same, since it ends in exec. On Linux the kernel sends the signal when the starter dies (PR_SET_PDEATHSIG, set after setuid,
which clears it). Elsewhere a keeper is left behind: a child that waits for the end of the starter's pipe and then
signals the program, unless that is already gone.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
LOST_ITS_STARTER = 77


def keep(pipe: int, signal: int) -> None:
    """Leaves a keeper behind that reads `pipe` until its other end is gone, and then ends the program with `signal`."""
    program = os.getpid()
    if os.fork():
        os.close(pipe)
        return
    os.dup2(pipe, 0)
    os.closerange(1, 4096)
    while os.read(0, 64):
        pass
    if os.getppid() == program:
        os.kill(program, signal)
    os._exit(0)


def main() -> None:
    """`launch.py <starter pid> <signal> <uid:gid or -> argv…`: becomes the program, which gets the signal when its starter is gone."""
    starter, signal, pipe, identity = sys.argv[1:5]
    program = sys.argv[5:]
    if identity != "-":
        uid, gid = map(int, identity.split(":"))
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if pipe != "-":
        keep(int(pipe), int(signal))
    elif int(signal):
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signal), 0, 0, 0)
        if os.getppid() != int(starter):
            sys.exit(LOST_ITS_STARTER)
    os.execv(program[0], program)  # noqa: S606


main()
