"""Small programs for the Python of a container, which print what they find there."""

STATUS = """
import json
from pathlib import Path
def read(of):
    try:
        return dict(line.split(":\\t", 1) for line in (of / "status").read_text().splitlines() if ":\\t" in line)
    except OSError:
        return None
found = [status for each in Path("/proc").iterdir() if each.name.isdigit() and (status := read(each))]
print(json.dumps([{name: each[name].split() for name in NAMES} for each in found]))
""".replace("NAMES", str(("Name", "Uid", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp")))
"""Prints what the kernel says of every process in the container."""

FOLDERS = """
import os, tempfile
for folder, _, _ in os.walk("/"):
    if folder.startswith(("/proc", "/sys")):
        continue
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        continue
    print(folder)
"""
"""Prints every folder that a file can be made in."""

PRIVILEGED = """
import os, stat
for folder, _, names in os.walk("/"):
    if folder.startswith(("/proc", "/sys")):
        continue
    for name in names:
        try:
            found = os.lstat(os.path.join(folder, name))
        except OSError:
            continue
        if stat.S_ISREG(found.st_mode) and found.st_mode & 0o6000:
            print(os.path.join(folder, name))
"""
"""Prints every file that gives its caller the rights of its owner or group."""

FORKS = """
import errno, os, signal
children, why = [], ""
try:
    while len(children) < 2000:
        child = os.fork()
        if child == 0:
            signal.pause()
        children.append(child)
except OSError as refused:
    why = errno.errorcode[refused.errno]
for child in children:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
print(len(children), why)
"""
"""Forks until the kernel refuses, ends all that, and prints how often it went well and why it ended."""

FROZEN = """
import json, os, signal, subprocess, sys
def serves(number):
    while number > 1:
        with open(f"/proc/{number}/stat") as file:
            number = int(file.read().rpartition(")")[2].split()[1])
    return number == 1
def served():
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if int(name) > 1 and serves(int(name)):
                yield int(name)
        except OSError:
            pass
others = list(served())
def asked():
    done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout.strip()
found = [asked()]
for each in others:
    os.kill(each, signal.SIGSTOP)
try:
    found.append(asked())
finally:
    for each in others:
        os.kill(each, signal.SIGCONT)
print(json.dumps(found))
"""
"""Runs the health check while the server is well, and while all its processes are stopped; prints how that ended.

It prints the exit code and the words of both. The server's processes are the descendants of process 1, not what the
engine runs beside them.
"""

LISTENING = """
from pathlib import Path
lines = [line.split() for name in ("tcp", "tcp6") for line in Path("/proc/net", name).read_text().splitlines()]
local = [line[1].split(":") for line in lines if line[3] == "0A"]
print(*sorted({int(port, 16) for address, port in local if address not in ("0100007F", "0B00007F")}))
"""
"""Prints the ports that a container's other addresses than loopback (0B00007F is the engine's DNS) listen on."""

PRODUCTION = {
    "DJANGO_ALLOWED_HOSTS": "localhost",
    "DJANGO_SSL_REDIRECT": "true",
    "DJANGO_SECURE_COOKIES": "true",
    "LAB_CHEAP_HASHER": "off",
    "LAB_IDENTITY": "off",
}
"""How the app is set where it is in service, over whatever its container is set to."""
