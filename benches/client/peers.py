"""Peers in environments of their own."""

import glob
import os
import shutil
import subprocess
import sys
from pathlib import Path

CACHE = Path(os.environ.get("SBT_CACHE") or Path.home() / ".cache" / "sbt") / "peers"
UV = Path(__file__).resolve().parents[2] / "tests" / "install" / "uv.txt"


def installed(tool):
    """The tool's program; none, with a line that says why, where it cannot be had."""
    name, version = tool.PACKAGE.split("==")
    folder = CACHE / name
    made = f"lib/python*/site-packages/{name.replace('-', '_')}-{version}.dist-info"
    if not any(folder.glob(made)):
        python = interpreter(tool.PYTHON)
        if python is None:
            least = ".".join(map(str, tool.PYTHON))
            return left_out(tool, f"{tool.PACKAGE} wants Python {least} or later, which is not here")
        print(f"installing {tool.PACKAGE} into {folder}", file=sys.stderr)
        try:
            install([tool.PACKAGE], python, folder)
        except subprocess.CalledProcessError as error:
            return left_out(tool, f"{tool.PACKAGE} cannot be installed: {error}")
    return str(folder / "bin" / name)


def left_out(tool, why):
    print(f"{tool.NAME} is left out: {why}", file=sys.stderr)


def install(packages, python, folder):
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([python, "-m", "venv", folder], check=True)
    within = folder / "bin" / "python"
    pip = [within, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--require-hashes", "-r", UV], check=True)
    subprocess.run([folder / "bin" / "uv", "pip", "install", "--quiet", "--python", within,
                    *packages],
                   check=True)


def interpreter(least):
    """The first Python that is new enough, those of pyenv included."""
    pyenv = os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv"
    candidates = [sys.executable, *(shutil.which(f"python3.{minor}") for minor in range(10, 15)),
                  *sorted(glob.glob(f"{pyenv}/versions/3.*/bin/python3"))]
    return next((python for python in candidates if python and version(python) >= least), None)


def version(python):
    told = subprocess.run([python, "-c", "import sys; print(*sys.version_info[:2])"],
                          capture_output=True, text=True, check=False)
    return tuple(map(int, told.stdout.split())) if told.returncode == 0 else (0, 0)
