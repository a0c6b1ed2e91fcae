#!/usr/bin/env python3
"""What many agents at once cost: a convoy of N beads on one repository, all of whose agents run at
the same time. Linux only: it reads /proc.

Usage: scripts/polecats.py RIGS [N] [SECONDS]

Prints the foreman's memory with none and with all of them, what it uses of a core while they run,
its own processor time per bead (git and the agents are others), and whether everything was done
once and nothing is left. Ends with 1 when a bar is missed.
"""

import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import time

import idle

# The bars: MB resident, milliseconds of its own per bead, share of one core while agents run.
MEMORY, PER_BEAD, WHILE = 60.0, 5.0, 0.02

CONFIG = """
[general]
max_parallel = {n}
[assayer]
backends = ["rules"]
[gate]
commands = []
[providers.shell]
kind = "command"
max_parallel = {n}
command = ["/bin/sh", "-c", "cat > /dev/null; echo begun; sleep {seconds}; date > $(basename $PWD).txt; echo done"]
"""

def own_cpu(pid):
    """Milliseconds of all its threads so far, of proc_pid_schedstat: children are not in it."""
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return sum(int((t / "schedstat").read_text().split()[0]) for t in tasks) / 1e6


def git(repo, *args):
    identity = ["-c", "user.name=p", "-c", "user.email=p@example.org"]
    done = subprocess.run(["git", *identity, *args], cwd=repo, capture_output=True, text=True,
                          check=True)
    return done.stdout


class Store:
    def __init__(self, rigs):
        self.file = rigs.home / "rigs" / "rigs.db"

    def __call__(self, query):
        with sqlite3.connect(f"file:{self.file}?mode=ro", uri=True, timeout=30) as store:
            return [row[0] for row in store.execute(query)]

    def wait(self, query, value, seconds):
        end = time.monotonic() + seconds
        while (found := self(query)[0]) != value:
            if time.monotonic() > end:
                sys.exit(f"{found} instead of {value} after {seconds:.0f} s: {query}")
            time.sleep(0.5)


def left(rigs, store, repo, n):
    """What is wrong in the end; a line each."""
    wrong = [f"{bead} is not completed" for bead in
             store("SELECT id FROM beads WHERE status <> 'completed'")]
    for kind in ("bead.complete", "bead.claim"):
        wrong += [f"{bead}: {kind} more than once" for bead in store(
            f"SELECT bead_id FROM events WHERE type = '{kind}' GROUP BY 1 HAVING count(*) > 1")]
    wrong += [f"{bead} holds a lease" for bead in
              store("SELECT id FROM beads WHERE lease_owner IS NOT NULL")]
    wrong += [f"reservation {id} is held" for id in
              store("SELECT id FROM reservations WHERE settled_at IS NULL")]
    branch = store("SELECT branch FROM convoys")[0]
    merged = git(repo, "log", "--merges", "--format=%(trailers:key=Rigs-Bead,valueonly)", branch)
    merged = sorted(merged.split())
    if merged != sorted(store("SELECT id FROM beads")):
        wrong.append(f"{len(merged)} merges of {len(set(merged))} beads instead of {n} of {n}")
    files = git(repo, "ls-tree", "--name-only", branch).split()
    if sum(name.startswith("gt-") for name in files) != n:
        wrong.append(f"the branch has not one file of each bead: {files}")
    for folder in (rigs.home / "rigs/worktrees", rigs.home / "rigs/scratch"):
        wrong += [f"{path} is left" for path in (folder.iterdir() if folder.is_dir() else [])
                  if path.is_dir() and any(path.iterdir())]
    for environ in pathlib.Path("/proc").glob("[0-9]*/environ"):
        try:
            if str(rigs.home).encode() in environ.read_bytes():
                wrong.append(f"process {environ.parent.name} is left")
        except OSError:
            pass
    return wrong


def campaign(rigs, n, seconds):
    rigs("init")
    (rigs.home / "rigs/config.toml").write_text(CONFIG.format(n=n, seconds=seconds))
    repo = rigs.home / "project"
    repo.mkdir()
    git(repo, "init", "-q", "-b", "main")
    (repo / "readme").write_text("a project\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "begin")
    store = Store(rigs)
    pid = rigs.json("foreman", "start")["pid"]
    time.sleep(2)
    memory_idle, _ = idle.memory_mb(pid)
    cpu = own_cpu(pid)
    for number in range(n):
        text = f"write file {number}"
        place = ["--convoy", convoy] if number else ["--repo", str(repo)]
        rigs("bead", "create", text, "-t", "implementation", *place)
        if not number:
            convoy = store("SELECT convoy_id FROM beads")[0]
    store.wait("SELECT count(*) FROM attempts WHERE status = 'running' AND pgid IS NOT NULL", n, 300)
    time.sleep(2)
    memory_all, _ = idle.memory_mb(pid)
    before, begun = own_cpu(pid), time.monotonic()
    time.sleep(min(10, seconds / 3))
    cpu_while = (own_cpu(pid) - before) / (time.monotonic() - begun) / 1000
    if (runs := store("SELECT count(*) FROM attempts WHERE status = 'running'")[0]) != n:
        sys.exit(f"only {runs} of {n} still ran; give them more SECONDS than {seconds}")
    store.wait("SELECT count(*) FROM beads WHERE status = 'completed'", n, 600)
    store.wait("SELECT count(*) FROM convoys WHERE status = 'completed'", 1, 60)
    time.sleep(2)
    cpu = own_cpu(pid) - cpu
    memory_end, peak = idle.memory_mb(pid)
    rigs("foreman", "stop")
    print(f"{n} agents at once; memory {memory_idle:.1f} MB with none, {memory_all:.1f} MB with all "
          f"({1024 * (memory_all - memory_idle) / n:.0f} kB each), {memory_end:.1f} MB afterwards, "
          f"{peak:.1f} MB at its peak")
    wrong = left(rigs, store, repo, n)
    for line in wrong:
        print(line)
    return [
        ("memory with all, MB", memory_all, MEMORY),
        ("processor while they run, % of a core", 100 * cpu_while, 100 * WHILE),
        ("its own processor time per bead, ms", cpu / n, PER_BEAD),
        ("lost, done twice or left", len(wrong), 0),
    ]


def main():
    program = str(pathlib.Path(sys.argv[1]).resolve())
    n = int(sys.argv[2].removeprefix("N=")) if len(sys.argv) > 2 else 50
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 20 + 1.5 * n
    with tempfile.TemporaryDirectory(prefix="rigs-polecats-") as folder:
        rigs = idle.Rigs(program, pathlib.Path(folder))
        try:
            figures = campaign(rigs, n, seconds)
        finally:
            rigs.end()
    return idle.verdict(figures)


if __name__ == "__main__":
    sys.exit(main())
