"""What the code never does, what may run at the start of Python, and that both would be seen."""

import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("mitigations", "variants", "runner", "stats", "reports")
SOURCES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
MODULES = {"cloudpickle", "dill", "joblib", "jsonpickle", "marshal", "pickle", "shelve"}
CALLS = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "yaml.load",
    "yaml.full_load", "yaml.unsafe_load", "yaml.load_all", "tempfile.mktemp",
    "pandas.read_pickle", "numpy.load",
}  # fmt: skip


def forbidden(text: str, name: str = "x.py"):
    """What a source does that this project never does."""
    tree = ast.parse(text, name)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            names = []
        yield from (f"import {one}" for one in names if one.partition(".")[0] in MODULES)
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in CALLS:
                yield called
            for word in node.keywords:
                given = f"{word.arg}={ast.unparse(word.value)}"
                if given in {"shell=True", "verify=False", "autoescape=False"}:
                    yield given


@pytest.mark.parametrize("package", PACKAGES)
def test_no_pickle_no_eval_no_unsafe_yaml(package):
    found = {
        f"{path.relative_to(ROOT)}: {what}"
        for path in SOURCES
        if path.is_relative_to(ROOT / package)
        for what in forbidden(path.read_text(), str(path))
    }
    assert found == set()


@pytest.mark.parametrize(
    "text",
    [
        "import pickle", "from pickle import loads", "import marshal as m", "eval(x)",
        "yaml.load(text)", "yaml.unsafe_load(x)", "run(x, shell=True)", "get(u, verify=False)",
        "Environment(autoescape=False)", "exec('1')", "import joblib.memory",
    ],
)  # fmt: skip
def test_the_rule_would_see_it(text):
    assert list(forbidden(text))


def test_no_file_names_a_registry_or_holds_an_index():
    lock = (ROOT / "requirements.lock").read_text()
    assert "--hash=sha256:" in lock
    assert not re.search(r"https?://|--index-url|--extra-index|--find-links|git\+", lock)
    for path in [ROOT / "Makefile", *(ROOT / ".ci").iterdir()]:
        assert "index-url" not in path.read_text()


def test_every_locked_package_has_hashes():
    lock = (ROOT / "requirements.lock").read_text().replace("\\\n", " ")
    lines = [line for line in lock.splitlines() if line and not line.lstrip().startswith("#")]
    assert len(lines) > 100
    assert [line for line in lines if "--hash=sha256:" not in line] == []
    assert not re.search(r"^litellm==1\.82\.[78]\b", lock, re.MULTILINE)


@pytest.fixture
def pth():
    spec = importlib.util.spec_from_file_location("pth", ROOT / ".ci" / "pth.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_environment_runs_nothing_unlisted_at_start(pth):
    assert pth.main([sys.prefix]) == 0


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("litellm_init.pth", "import os; os.system('true')\n"),
        ("a1_coverage.pth", "import os\n"),
        ("distutils-precedence.pth", "import sys; print(1)\n"),
        ("folders.pth", "/usr\nimport os\n"),
        ("gone.pth", "/no/such/folder\n"),
        ("binary.pth", "\udcff"),
        ("sitecustomize.py", "print(1)\n"),
    ],
)
def test_a_planted_file_is_named(pth, tmp_path, name, content):
    (tmp_path / name).write_bytes(content.encode("utf-8", "surrogateescape"))
    (fault,) = pth.unexpected(tmp_path)
    assert name in fault


def test_a_file_that_only_names_folders_is_no_code(pth, tmp_path):
    (tmp_path / "editable.pth").write_text(f"{tmp_path}\n\n{ROOT}\n")
    assert list(pth.unexpected(tmp_path)) == []


@pytest.mark.slow
def test_a_planted_file_fails_the_step(tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "e"], check=True)
    (site,) = (tmp_path / "e").glob("lib/python*/site-packages")
    command = [sys.executable, str(ROOT / ".ci" / "pth.py"), str(tmp_path / "e")]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    (site / "x.pth").write_text("import this\n")
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "x.pth" in done.stdout
    assert "Zen" not in done.stdout, "looking must not run it"


@pytest.mark.slow
def test_bandit_finds_nothing_of_medium_severity():
    bandit = Path(sys.executable).with_name("bandit")
    if not bandit.exists():
        pytest.skip("bandit is not installed")
    command = [bandit, "-q", "-r", "-ll", "-c", ROOT / "pyproject.toml", *PACKAGES]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_the_bill_of_materials_lists_every_locked_package(tmp_path):
    import json

    tool = Path(sys.executable).with_name("cyclonedx-py")
    target = tmp_path / "sbom.json"
    subprocess.run(
        [tool, "requirements", "--output-reproducible", "--pyproject", "pyproject.toml",
         "--output-file", target, "requirements.lock"],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    listed = {one["name"] for one in json.loads(target.read_text())["components"]}
    lock = (ROOT / "requirements.lock").read_text()
    locked = set(re.findall(r"^([a-z0-9._-]+)==", lock, re.MULTILINE))
    assert locked <= listed
