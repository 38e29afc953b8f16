"""Where is the Chromium that browser tests drive? As a script, it installs one if need be.

`python tests/chromium.py` prints the path on stdout and what it does on stderr.
"""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome")

NOT_FOUND = """\
No Chromium was found and none could be installed. Do one of these:
  - install Chromium or Google Chrome so that it is on PATH;
  - name one: ADMIX_CHROMIUM=/path/to/chrome make test;
  - leave out the tests that need one: {python} -m pytest -m "not browser"
"""


def find() -> str | None:
    """Return the path of a Chromium that starts, or None; it installs nothing."""
    named = os.environ.get("ADMIX_CHROMIUM")
    on_path = [shutil.which(name) for name in NAMES]
    return next((path for path in [named, *on_path] if path and starts(path)), None) or (
        playwrights_own()
    )


def starts(path: str) -> bool:
    """Tell whether the program answers: on Ubuntu `chromium-browser` may only name a snap."""
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0


def playwrights_own() -> str | None:
    """Return the Chromium that Playwright downloaded earlier, or None."""
    ask = (
        "from playwright.sync_api import sync_playwright\n"
        "with sync_playwright() as playwright: print(playwright.chromium.executable_path)"
    )
    # A process of its own, because a test may already run a Playwright or an event loop here.
    answer = subprocess.run(
        [sys.executable, "-c", ask], capture_output=True, text=True, timeout=60, check=False
    )
    path = answer.stdout.strip()
    return path if path and starts(path) else None


def install() -> None:
    """Install Chromium from the system's packages where we may, else through Playwright."""
    if sys.platform == "linux" and shutil.which("apt-get") and os.geteuid() == 0:
        say("No Chromium here: installing it with apt-get, once (about 100 MB to download).")
        run("apt-get", "update", "-q")
        run("apt-get", "install", "-qy", "--no-install-recommends", "chromium")
        if find():
            return
    say("No Chromium here: Playwright downloads one, once (about 150 MB).")
    run(sys.executable, "-m", "playwright", "install", "chromium")


def run(*command: str) -> None:
    """Run a command with its output on stderr; one that fails says so there itself."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=sys.stderr, env=environment, check=False
    )


def say(text: str) -> None:
    """Write a line of progress."""
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Print the path of a Chromium, installing one first where there is none."""
    named = os.environ.get("ADMIX_CHROMIUM")
    if named and not starts(named):
        say(f"ADMIX_CHROMIUM names {named}, which does not start.")
        return 1
    path = find()
    if path is None:
        install()
        path = find()
    if path is None:
        say(NOT_FOUND.format(python=sys.executable))
        return 1
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
