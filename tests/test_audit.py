import json
import sys

import audit
import pytest


def package(name, *vulnerabilities):
    return {"name": name, "version": "1.0", "vulns": list(vulnerabilities)}


def skipped(name):
    return {"name": name, "skip_reason": f"not found: {name}"}


BAD = {"id": "PYSEC-1", "fix_versions": ["1.1"], "aliases": ["CVE-1"], "description": "bad"}
HOPELESS = {"id": "PYSEC-2", "fix_versions": [], "aliases": [], "description": "worse"}


def conclusion(*packages):
    return audit.conclusion({"dependencies": list(packages), "fixes": []})


def test_nothing_found():
    status, lines = conclusion(package("a"), package("b"))
    assert status == 0
    assert lines == ["2 packages audited, no vulnerabilities found"]


def test_vulnerabilities_fail_and_are_named():
    status, lines = conclusion(package("a", BAD, HOPELESS), package("b"))
    assert status == 1
    assert lines[:2] == [
        "a 1.0: PYSEC-1, CVE-1; mended in 1.1",
        "a 1.0: PYSEC-2; mended in no version yet",
    ]
    assert lines[-1] == "2 packages audited, vulnerabilities found"


@pytest.mark.parametrize(("found", "status"), [((), 0), ((BAD,), 1)])
def test_what_the_index_does_not_know_is_named(found, status):
    got, lines = conclusion(package("a", *found), skipped("b"), skipped("c"))
    assert got == status
    assert "not audited: b, c" in lines


@pytest.mark.parametrize("packages", [(), (skipped("a"), skipped("b"))])
def test_an_index_that_knows_nothing_is_no_audit(packages):
    """pip-audit itself would say `No known vulnerabilities found` here."""
    status, (line,) = conclusion(*packages)
    assert status == 0
    assert line.startswith("THE AUDIT HAS NOT BEEN DONE")


def test_the_allow_list():
    text = "# why\n\nGHSA-1  # not used here\n  CVE-2 # only on Windows\n"
    assert audit.allowed(text) == ["GHSA-1", "CVE-2"]
    for line in ("GHSA-1", "GHSA-1 #", "CVE-2 # fine\nGHSA-1  #  \n"):
        with pytest.raises(ValueError, match="GHSA-1 has no reason"):
            audit.allowed(line)


def test_the_committed_allow_list_has_reasons():
    audit.allowed((audit.ROOT / audit.ALLOWED).read_text(encoding="utf-8"))


@pytest.fixture
def auditor(tmp_path, monkeypatch):
    """A function that puts another program in pip-audit's place, which keeps its arguments."""
    monkeypatch.setattr(audit, "ALLOWED", tmp_path / "allowed.txt")
    (tmp_path / "allowed.txt").touch()

    def be(lines):
        keep = f"import sys; open({str(tmp_path / 'arguments')!r}, 'w').write(repr(sys.argv[1:]))"
        monkeypatch.setattr(audit, "AUDITOR", [sys.executable, "-c", f"{keep}\n{lines}"])

    return be


def test_the_status_is_that_of_the_report(auditor, capsys):
    for packages, status in (([package("a", BAD)], 1), ([package("a")], 0)):
        report = json.dumps({"dependencies": packages, "fixes": []})
        auditor(f"print({report!r})\nprint('Found', file=sys.stderr)\nsys.exit({status})")
        assert audit.main() == status
        assert "1 packages audited" in capsys.readouterr().out


def test_an_auditor_that_fails_is_no_audit(auditor, capsys):
    auditor("sys.exit('a traceback\\nConnectionError: no way')")
    assert audit.main() == 0
    out = capsys.readouterr().out
    assert out.startswith("THE AUDIT HAS NOT BEEN DONE")
    assert out.endswith(": ConnectionError: no way\n")


def test_allowed_vulnerabilities_are_passed_on(auditor, tmp_path, capsys):
    auditor("")
    (tmp_path / "allowed.txt").write_text("GHSA-1  # not used\nCVE-2  # not used\n")
    audit.main()
    arguments = (tmp_path / "arguments").read_text()
    assert "'--ignore-vuln', 'GHSA-1', '--ignore-vuln', 'CVE-2'" in arguments
    for pins in audit.PINS:
        assert str(audit.ROOT / pins) in arguments
    (tmp_path / "allowed.txt").write_text("GHSA-1\n")
    assert audit.main() == 1
    assert "GHSA-1 has no reason" in capsys.readouterr().out
