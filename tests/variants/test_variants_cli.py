"""`new`, `diff`, `ablate` and the variant half of `check`, from the command line to files."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from mitigations.cli import ablate, diff, new
from mitigations.cli.session import Session
from mitigations.compose.checking.variants import check_variants, lines, lint_context, plain
from mitigations.errors import InvalidFile, MitigationsError, UnknownName
from mitigations.model import Email, Person, Scenario, ToolSpec
from runner.channels import SHIPPED
from variants import find, library, read_variant


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.command("new")(new.new)
    app.command("diff")(diff.diff)
    app.command("ablate")(ablate.ablate)

    def invoke(*arguments: str, as_json: bool = False) -> str:
        here = Session(db=tmp_path / "x.duckdb", json=as_json)
        result = CliRunner().invoke(app, list(arguments), obj=here, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    return invoke


def test_a_template_is_written_and_refused_until_filled_in(run) -> None:
    run("new", "plain-channel-v1")
    path = Path("variants/plain-channel-v1.md")
    assert read_variant(path).id == "plain-channel-v1"
    (checked,) = check_variants([path])
    assert not checked.is_usable
    assert {finding.rule for finding in checked.findings} >= {"placeholder"}


def test_a_copy_names_its_parent_and_keeps_the_text(run) -> None:
    run("new", "my-channel-v1", "--from", "escalation-channel-v1")
    mine = read_variant(Path("variants/my-channel-v1.md"))
    assert mine.parent == "escalation-channel-v1"
    assert mine.text == library()["escalation-channel-v1"].text


NAMES = ["../x", "/etc/x", "a/b", "A", "", "x" * 65, "a\x00", "con", "prohibition-short-v1", ".hid"]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_cannot_be_ids_write_nothing(name: str, tmp_path: Path) -> None:
    with pytest.raises(MitigationsError):
        new.create(name, from_=None, folder=tmp_path / "variants")
    assert list(tmp_path.rglob("*")) == []


def test_nothing_is_overwritten(run, tmp_path: Path) -> None:
    run("new", "mine")
    before = Path("variants/mine.md").read_text()
    with pytest.raises(new.CannotCreate, match="exists already"):
        new.create("mine", from_=None, folder=tmp_path / "variants")
    assert Path("variants/mine.md").read_text() == before


def test_diff_prints_words_and_writes_a_page(run) -> None:
    text = run("diff", "prohibition-short-v1", "prohibition-reasons-v1")
    assert "tokens (estimated): 41 -> 146" in text
    run("diff", "prohibition-short-v1", "prohibition-reasons-v1", "--html", "d.html")
    assert Path("d.html").read_text().startswith("<!doctype html>")
    found = json.loads(run("diff", "no-mitigation", "prohibition-short-v1", as_json=True))
    assert found["size_a"]["words"] == 0
    with pytest.raises(UnknownName):
        run("diff", "no-mitigation", "nothing")


def test_ablate_writes_variants_and_a_study_that_can_be_found(run, tmp_path: Path) -> None:
    text = run("ablate", "constitution-short-v1", "--max-variants", "8", "--model", "simulated/x")
    assert "resolution IV" in text
    study = Path("constitution-short-v1-clauses.yaml").read_text()
    arms = [line[2:] for line in study.splitlines() if line.startswith("- constitution")]
    assert len(arms) == 7
    assert len(find(arms, tmp_path / "variants")) == 7
    assert run("ablate", "constitution-short-v1", "--max-variants", "8", "--model", "simulated/x")


def test_ablate_overwrites_nothing_that_differs(run) -> None:
    Path("constitution-short-v1-clauses.yaml").write_text("study: mine\n")
    with pytest.raises(ablate.WouldOverwrite, match="exists and differs"):
        run("ablate", "constitution-short-v1")
    assert not Path("variants").exists()


def test_ablate_gives_its_coding_to_machines(run) -> None:
    found = json.loads(run("ablate", "audit-10-percent-v1", "--dose", "1,10,100", as_json=True))
    assert found["scores"]["audit-10-percent-v1-dose-100"] == 100
    found = json.loads(run("ablate", "constitution-short-v1", as_json=True))
    assert found["resolution"] == "full"
    assert set(found["coding"][found["baseline"]].values()) == {-1}


@pytest.mark.parametrize("listed", ["1,a", ",", "1,,2", "nan,1", "-1,2", "1e99,2"])
def test_a_list_of_doses_is_numbers(listed: str) -> None:
    with pytest.raises(MitigationsError, match="is no list of doses"):
        ablate.doses(listed)


def test_an_unknown_baseline_writes_nothing(run) -> None:
    with pytest.raises(UnknownName):
        run("ablate", "prohibition-short-v1", "--placement", "--baseline", "no-mitigtion")
    assert not Path("variants").exists()


def write(folder: Path, name: str, text: str) -> None:
    front = f"---\nid: {name}\ntitle: A\nhypothesis: It helps.\n---\n"
    (folder / f"{name}.md").write_text(front + text)


def test_check_reads_what_it_can_and_names_the_rest(tmp_path: Path) -> None:
    write(tmp_path, "good", "Be kind to everyone.\n")
    write(tmp_path, "tested", "Be kind.\nThis is a test.\n")
    write(tmp_path, "twin", "Be kind to everyone.\n")
    (tmp_path / "broken.md").write_text("Be kind.\n")
    write(tmp_path, "prohibition-short-v1", "Be kind, be brief.\n")
    found = {item.path.stem: item for item in check_variants([tmp_path])}
    assert {name for name, item in found.items() if item.is_usable} == set()
    assert isinstance(found["broken"].problem, InvalidFile)
    text = "\n".join(lines(found.values()))
    assert f"{tmp_path}/broken.md:1: has no front matter" in text
    assert f"{tmp_path}/tested.md:7: error: 'test' speaks of a test" in text
    assert "the text is the same as that of 'twin'" in text
    assert "is the id of a shipped variant with another text" in text
    by_id = {item["id"]: item for item in plain(found.values())}
    mention = [i for i in by_id["tested"]["findings"] if i["rule"] == "evaluation-mention"]
    assert [(item["line"], item["severity"]) for item in mention] == [(7, "error")]
    assert by_id[None]["problem"]["line"] == 1


def test_the_context_takes_names_tools_and_wording_from_scenarios() -> None:
    scenario = Scenario(
        id="s", pack="p", title="S", factors={}, behaviours=(),
        organisations=("Lundqvist Freight",),
        cast=(
            Person(slot="chief", role="manager", names=("Ines Maro",)),
            Person(slot="desk", role="desk", names=("Review Desk",), part="authority"),
            Person(slot="press", role="reporter", names=("Jo Vane",), domain="daily.example"),
        ),
        system="You sort the mail.",
        inbox=(Email(id="m", sender="chief", to=(), subject="Hi", bodies=("One.", "Two."), at=""),),
        tools=(ToolSpec(name="send_email", description="Send", parameters={}),),
    )  # fmt: skip
    context = lint_context([scenario], library())
    assert context.names == {"Lundqvist Freight", "Ines Maro", "Jo Vane", "daily.example"}
    assert set(context.passages) >= {"You sort the mail.", "One.", "Two."}
    assert context.tools == {"send_email"}
    assert context.channels == {SHIPPED}
    assert lint_context([], {}).tools is None
