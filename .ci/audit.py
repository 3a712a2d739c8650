"""Known vulnerabilities of pinned dependencies, by pip-audit; ends with 1 where there are some.

Where no index answers, or it has no such data, it says so and ends with 0: that is no finding.

    python .ci/audit.py constraints.txt
"""

import json
import subprocess
import sys

SECONDS = 300


def main(file: str) -> int:
    command = [sys.executable, "-m", "pip_audit", "--requirement", file, "--no-deps", "--disable-pip"]
    command += ["--format", "json", "--progress-spinner", "off"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return skipped(f"no answer within {SECONDS} s")
    try:
        found = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return skipped((done.stderr.strip().splitlines() or ["pip-audit gave no report"])[-1])
    unknown = [each["name"] for each in found if "skip_reason" in each]
    if len(unknown) == len(found):
        return skipped(found[0]["skip_reason"] if found else f"{file} names nothing")
    bad = [(each, hole) for each in found for hole in each.get("vulns", ())]
    for each, hole in bad:
        fixed = ", ".join(hole["fix_versions"]) or "no version yet"
        print(f"{each['name']} {each['version']}: {hole['id']}; mended in {fixed}")
    not_told = f"; no data on {', '.join(unknown)}" if unknown else ""
    print(f"audit: {len(found) - len(unknown)} packages, {len(bad)} known vulnerabilities{not_told}")
    return 1 if bad else 0


def skipped(reason: str) -> int:
    print(f"audit skipped: {reason}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
