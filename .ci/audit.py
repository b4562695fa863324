"""Fail where a package that is pinned here has a known vulnerability; `make audit`.

pip-audit asks the package index about each pin. What .ci/audit-allowed.txt names, with a reason,
does not fail. Where the index cannot say, the audit has not been done, which is said and is no
failure.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PINS = ("requirements.txt", "benchmarks/requirements.txt")
ALLOWED = Path(".ci/audit-allowed.txt")
# In an environment of its own, so that its dependencies are none of the project's; with this
# interpreter, which decides what pins are meant for it.
AUDITOR = ["uv", "tool", "run", "--python", sys.executable, "pip-audit@2.10.1"]
OPTIONS = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json"]


def allowed(text: str) -> list[str]:
    """The identifiers of an allow-list, one on a line: `IDENTIFIER  # reason`.

    Raises:
        ValueError: one has no reason.
    """
    entries = []
    for line in text.splitlines():
        identifier, _, reason = (part.strip() for part in line.partition("#"))
        if identifier and not reason:
            raise ValueError(f"{identifier} has no reason; write: {identifier}  # why it may stay")
        if identifier:
            entries.append(identifier)
    return entries


def conclusion(report: dict[str, Any]) -> tuple[int, list[str]]:
    """The exit status and what to say of a report of pip-audit in its JSON format."""
    packages = report["dependencies"]
    skipped = [package for package in packages if "skip_reason" in package]
    if len(skipped) == len(packages):
        reason = skipped[0]["skip_reason"] if skipped else "no package is pinned"
        return 0, [not_done(reason)]
    lines = [
        f"{package['name']} {package['version']}: {', '.join([found['id'], *found['aliases']])}; "
        f"mended in {', '.join(found['fix_versions']) or 'no version yet'}"
        for package in packages
        for found in package.get("vulns", [])
    ]
    status = int(bool(lines))
    if lines:
        lines.append(f"Pin mended versions (make lock), or say in {ALLOWED} why one may stay.")
    if skipped:
        lines.append(f"not audited: {', '.join(package['name'] for package in skipped)}")
    answered = len(packages) - len(skipped)
    lines.append(f"{answered} packages audited, {'' if status else 'no '}vulnerabilities found")
    return status, lines


def not_done(reason: str) -> str:
    """What to say where no package has been audited."""
    return f"THE AUDIT HAS NOT BEEN DONE, no vulnerability can be excluded: {reason}"


def main() -> int:
    """Audit, say what came out, and return the exit status."""
    try:
        identifiers = allowed((ROOT / ALLOWED).read_text(encoding="utf-8"))
    except ValueError as error:
        print(f"error: {ALLOWED}: {error}")
        return 1
    command = [*AUDITOR, *OPTIONS]
    for pins in PINS:
        command += ["--requirement", str(ROOT / pins)]
    for identifier in identifiers:
        command += ["--ignore-vuln", identifier]
    ran = subprocess.run(command, capture_output=True, text=True)
    try:
        report = json.loads(ran.stdout)
    except json.JSONDecodeError:
        print(not_done(ran.stderr.strip().rpartition("\n")[2].strip()))
        return 0
    status, lines = conclusion(report)
    print("\n".join(lines))
    return status


if __name__ == "__main__":
    sys.exit(main())
