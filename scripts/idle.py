#!/usr/bin/env python3
"""What a foreman that waits costs: processor time and memory over some minutes, of one that has
never run anything and of one that has and waits for a reset; and how soon it wakes when a limit
resets and when a bead is created. Linux only: it reads /proc.

Usage: scripts/idle.py RIGS [MINUTES]

Everything happens in a folder of its own with a provider that is a shell command. Ends with 1
when a bar is missed.
"""

import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

# The bars: share of one core, MB resident, seconds.
CPU, MEMORY, WAKE = 0.001, 30.0, 1.0

CONFIG = """
[assayer]
backends = ["rules"]
[gate]
commands = []
[providers.shell]
kind = "command"
command = ["/bin/sh", "-c", "cat > /dev/null; echo done"]
limits = [ { window = "5h", unit = "percent" } ]
"""


def utc(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def cpu_seconds(pid):
    """Time that its threads ran so far, of /proc/PID/task/*/schedstat, finer than clock ticks."""
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def memory_mb(pid):
    """Resident memory now and at its peak."""
    found = {}
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in ("VmRSS", "VmHWM"):
            found[name] = int(value.split()[0]) / 1024
    return found["VmRSS"], found["VmHWM"]


class Rigs:
    def __init__(self, program, home):
        self.program = program
        self.home = home
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "RIGS_HOME": str(home / "rigs"),
            "TZ": "UTC",
        }

    def __call__(self, *args):
        done = subprocess.run(
            [self.program, *args],
            env=self.env,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode != 0:
            sys.exit(f"rigs {' '.join(args)} failed:\n{done.stderr}")
        return done.stdout

    def json(self, *args):
        return json.loads(self(*args, "--json"))

    def end(self):
        """Ends the foreman, if there is one still."""
        subprocess.run([self.program, "foreman", "stop", "--now"], env=self.env, cwd=self.home,
                       capture_output=True, timeout=120, check=False)

    def bead(self, text):
        return self("bead", "create", text, "-t", "research", "--no-repo").strip()

    def event(self, bead, kind):
        """When something first happened to a bead; waits for it."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            for line in self("events", "--bead", bead, "--json").splitlines():
                event = json.loads(line)
                if event["type"] == kind:
                    return utc(event["at"])
            time.sleep(0.2)
        sys.exit(f"{bead}: no {kind} within a minute of when it was due")


def started(rigs):
    rigs("init")
    (rigs.home / "rigs/config.toml").write_text(CONFIG)
    return rigs.json("foreman", "start")["pid"]


def measure(fresh, rigs, minutes):
    fresh, pid = started(fresh), started(rigs)
    # It has run something, so that whatever is loaded once was loaded.
    rigs.event(rigs.bead("warm up"), "bead.complete")

    length = datetime.timedelta(minutes=minutes)
    settle = 5
    reset = datetime.datetime.now(datetime.timezone.utc) + length
    reset += datetime.timedelta(seconds=settle + 10)
    reset = reset.replace(microsecond=0)
    rigs("tank", "set", "shell", "--window", "5h", "--percent", "100",
         "--reset", reset.isoformat().replace("+00:00", "Z"))
    waits = rigs.bead("wait for the reset")
    rigs.event(waits, "bead.defer")
    time.sleep(settle)

    before, begun = (cpu_seconds(fresh), cpu_seconds(pid)), time.monotonic()
    time.sleep(length.total_seconds())
    took = time.monotonic() - begun
    fresh_cpu, cpu = cpu_seconds(fresh) - before[0], cpu_seconds(pid) - before[1]
    fresh_memory, _ = memory_mb(fresh)
    memory, peak = memory_mb(pid)

    woke = rigs.event(waits, "bead.claim")
    reset_s = (woke - reset).total_seconds()
    rigs.event(waits, "bead.complete")
    beads = []
    for n in range(5):
        time.sleep(0.3 + n / 10)
        bead = rigs.bead(f"new {n}")
        created = rigs.event(bead, "bead.created")
        beads.append((rigs.event(bead, "bead.claim") - created).total_seconds())
        rigs.event(bead, "bead.complete")
    rigs("foreman", "stop")
    print(f"counted {took:.0f} s, {fresh_cpu:.2f} s and {cpu:.2f} s of processor time; "
          f"memory at its peak {peak:.1f} MB")
    return [
        ("fresh: processor, % of a core", 100 * fresh_cpu / took, 100 * CPU),
        ("fresh: memory, MB", fresh_memory, MEMORY),
        ("after beads: processor, % of a core", 100 * cpu / took, 100 * CPU),
        ("after beads: memory, MB", memory, MEMORY),
        ("awake after a reset, s", reset_s, WAKE),
        ("awake after a new bead, s (worst of 5)", max(beads), WAKE),
    ]


def verdict(figures):
    """Prints each figure (name, found, at most); the exit code."""
    missed = 0
    for name, found, bar in figures:
        ok = 0 <= found <= bar
        missed += not ok
        print(f"{'ok    ' if ok else 'MISSED'}  {name}: {found:.3f} (at most {bar:g})")
    return 1 if missed else 0


def main():
    program = str(pathlib.Path(sys.argv[1]).resolve())
    minutes = float(sys.argv[2]) if len(sys.argv) > 2 else 10
    with tempfile.TemporaryDirectory(prefix="rigs-idle-") as folder:
        homes = [pathlib.Path(folder) / name for name in ("fresh", "used")]
        for home in homes:
            home.mkdir()
        both = [Rigs(program, home) for home in homes]
        try:
            figures = measure(*both, minutes)
        finally:
            for rigs in both:
                rigs.end()
    return verdict(figures)


if __name__ == "__main__":
    sys.exit(main())
