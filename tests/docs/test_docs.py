"""What the documentation says can be done can be done: its files are valid, its commands exist, its code runs as it stands."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from doc_blocks import ROOT, blocks, commands, pages, write_files

from holdfast.cli import app
from holdfast.core.grammar import parse

NAMES = [str(page.relative_to(ROOT)) for page in pages()]
QUICK = [
    "docs/explanation/statistics.md",
    "docs/explanation/reproducibility.md",
    "docs/explanation/spintronics.md",
    "docs/howto/from-a-layer-to-a-network.md",
    "docs/howto/attack-a-model.md",
    "docs/howto/use-from-python.md",
]
WORKED = [name for name in NAMES if any(block.language == "console" for block in blocks(ROOT / name))]


def run_python(text, name, names=None):
    exec(compile(text, name, "exec"), {"__name__": "__main__"} if names is None else names)


@pytest.mark.parametrize("name", NAMES)
def test_the_code_that_a_page_shows_is_valid(name):
    for block in blocks(ROOT / name):
        where = f"{name}, line {block.line}"
        if block.language == "python":
            compile(block.text, where, "exec")
        elif block.language == "toml":
            tomllib.loads(block.text)
        elif block.language == "bash":
            subprocess.run(["bash", "-n"], input=block.text, text=True, check=True)


@pytest.mark.parametrize("name", NAMES)
def test_every_command_on_a_page_is_understood(name):
    for line, command in commands(ROOT / name):
        if command.startswith("holdfast ") and "-->" not in command:
            words = shlex.split(command, comments=True)[1:]
            assert words[0] in app, f"{name}, line {line}: {command}"
            try:
                app.parse_args(words, exit_on_error=False, print_error=False)
            except Exception as error:
                raise AssertionError(f"{name}, line {line}: {command}") from error


@pytest.mark.parametrize("name", NAMES)
def test_links_between_pages_lead_somewhere(name):
    page = ROOT / name
    content = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)", content):
        if not re.match(r"[a-z]+:", target) and "/generated/" not in target and "gallery/" not in target:
            assert (page.parent / target).exists(), f"{name} links to {target}"


def test_every_gate_that_is_shown_parses():
    shown = [line for block in blocks(ROOT / "docs/howto/gates.md") for line in block.text.splitlines()]
    gates = [line.strip(' ",') for line in shown if re.match(r'^ *"?[a-z_]+\.[a-z_.]+(\[.*?\])? (>=|<=|==|>|<) ', line)]
    assert len(gates) >= 6
    for gate in gates:
        parse(gate)


def test_the_readme_shows_the_promise_first():
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) < 150
    assert any("report.png" in line for line in lines[:5])
    (code,) = [block for block in blocks(ROOT / "README.md") if block.language == "python"]
    assert len([line for line in code.text.splitlines() if line.strip()]) <= 10
    assert code.line + code.text.count("\n") <= 35


def test_the_ten_lines_of_the_readme_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (code,) = [block for block in blocks(ROOT / "README.md") if block.language == "python"]
    run_python(code.text, "README.md")
    assert "satisfies >= 0.9" in capsys.readouterr().out
    assert "</html>" in (tmp_path / "runs/readme/report.html").read_text()


@pytest.mark.parametrize("name", QUICK)
def test_the_examples_of_a_page_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    for block in blocks(ROOT / name):
        if block.language == "python":
            run_python(block.text, f"{name}, line {block.line}", names)


def test_rounding_is_caught_as_the_page_on_masking_says(capsys):
    page = ROOT / "docs/explanation/masking.md"
    run_python(next(block.text for block in blocks(page) if block.language == "python"), page.name)
    flagged = {line.split()[1] for line in capsys.readouterr().out.splitlines() if line.startswith("flag")}
    assert {"iii", "v"} <= flagged


def install(project, site):
    """What pip leaves of a project whose wheel is one file: the module, and its entry points beside it."""
    settings = tomllib.loads((project / "pyproject.toml").read_text())
    for file in settings["tool"]["hatch"]["build"]["targets"]["wheel"]["include"]:
        (site / file).write_text((project / file).read_text())
    info = site / f"{settings['project']['name'].replace('-', '_')}-{settings['project']['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {settings['project']['name']}\nVersion: 0.1\n")
    groups = settings["project"]["entry-points"].items()
    (info / "entry_points.txt").write_text(
        "".join(f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in entries.items()) for group, entries in groups)
    )


def test_the_stress_of_the_guide_works_like_a_built_in_one(tmp_path, monkeypatch, digits_cnn, digits_small):
    import holdfast
    from holdfast.auditing.stresses import known_stresses

    write_files(ROOT / "docs/howto/add-a-stress.md", tmp_path)
    site = tmp_path / "site"
    site.mkdir()
    install(tmp_path / "holdfast-occlusion", site)
    monkeypatch.syspath_prepend(site)
    assert "occlusion" in known_stresses()

    gate = "shift.occlusion.accuracy[share=0.25] >= 0.5"
    test = digits_small[1]
    report = holdfast.audit(digits_cnn, test, stresses=["clean", "occlusion"], gates=[gate], out=str(tmp_path / "run"))
    curve = report.cards["shift"].curve("occlusion")
    clean = report.per_example("clean")["correct"]
    assert (report.per_example("occlusion", share=0.0)["correct"] == clean).all(), "a square of no size hides nothing"
    assert (curve.values[1:] < curve.values[:-1]).all(), "a larger square hides more"
    assert report.document.gates[0].status == "pass"
    again = holdfast.audit(digits_cnn, test, stresses=["occlusion"], out=str(tmp_path / "again"))
    assert (again.cards["shift"].curve("occlusion").values == curve.values).all(), "the same seed gives the same places"
    sys.modules.pop("holdfast_occlusion")


def shell(command, folder):
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(folder / "site"),
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.run(["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False)


def run_page(page, folder):
    """Write the files of a page, then run its sessions and its Python from top to bottom."""
    write_files(page, folder)
    if page.name == "add-a-stress.md":
        (folder / "site").mkdir()
        install(folder / "holdfast-occlusion", folder / "site")
    earlier = ""
    for block in blocks(page):
        if block.language == "console":
            run_session(block, page, folder)
        elif block.language == "python" and not block.file:
            earlier += block.text
            (folder / "_block.py").write_text(earlier)
            done = shell("python _block.py", folder)
            assert done.returncode == 0, f"{page.name}, line {block.line}\n{done.stderr}"


def run_session(block, page, folder):
    """Each command must end with 0, unless the page itself shows another code by `echo $?`."""
    lines = block.text.splitlines()
    for place, line in enumerate(lines):
        if not line.startswith("$ ") or line == "$ echo $?":
            continue
        shows_code = lines[place + 1 : place + 2] == ["$ echo $?"]
        expected = int(lines[place + 2]) if shows_code else 0
        done = shell(line.removeprefix("$ "), folder)
        assert done.returncode == expected, f"{page.name}: {line}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    """The folder that the tutorial leaves behind: a network in a file, its weights, test images."""
    folder = tmp_path_factory.mktemp("workshop")
    write_files(ROOT / "docs/tutorial.md", folder)
    done = shell("python train.py", folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", [name for name in WORKED if name != "docs/howto/run-a-study.md"])
def test_a_page_does_what_it_says(name, workshop):
    run_page(ROOT / name, workshop)


@pytest.mark.slow
def test_the_tutorial_trains_a_network_worth_auditing(workshop):
    with zipfile.ZipFile(workshop / "test.npz") as archive:
        assert sorted(archive.namelist()) == ["x.npy", "y.npy"]
    done = shell("python train.py", workshop)
    assert float(done.stdout.rsplit(maxsplit=1)[-1]) > 0.9
