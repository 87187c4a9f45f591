"""`analyze`: anyone's counts or trials, the same verdicts, and a clear word about every bad row."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mitigations.cli.app import run

ROOT = Path(__file__).parents[2]
COUNTS = (ROOT / "docs" / "examples" / "counts.csv").read_text()
NAMES = """
std_rd std_rd_ci95 std_p1 std_p0 std_rr p_value p_adjusted p_holm simultaneous_ci95 cmh_chi2 cmh_p
mh_or mh_or_ci95 mh_rd mh_rr mh_rr_ci95 breslow_day_tarone_chi2 breslow_day_tarone_p scenario_t
scenario_t_p scenario_t_ci95 scenario_signflip_p e_value strata_used strata_dropped trials_lost
verdict sentence per_model reasons
"""
CONTRACT = NAMES.split()


@pytest.fixture
def analyse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Any:
    monkeypatch.chdir(tmp_path)

    def call(content: str | bytes, *arguments: str, name: str = "data.csv") -> tuple[int, str, str]:
        raw = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(raw)
        capsys.readouterr()
        code = run(["analyze", name, *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def contract(analyse: Any, content: str, *arguments: str) -> dict[str, Any]:
    code, out, err = analyse(content, "--baseline", "none", "--json", *arguments)
    assert (code, err) == (0, "")
    return json.loads(out)


def test_the_json_is_the_public_contract(analyse: Any) -> None:
    found = contract(analyse, COUNTS)
    assert found["schema"] == "mitigations.analysis/1"
    (comparison,) = found["comparisons"]
    assert set(CONTRACT) <= comparison.keys()
    # By hand: (2 + 3 + 4 - 9 - 7 - 12) / 60, every stratum of equal weight.
    assert comparison["std_rd"] == pytest.approx(-19 / 60)
    assert (comparison["strata_used"], comparison["verdict"]) == (3, "reduces")
    undefined = [name for name in CONTRACT if comparison[name] is None]
    assert undefined == ["e_value"]
    assert set(undefined) <= comparison["reasons"].keys()


def test_the_same_data_and_seed_give_the_same_bytes(analyse: Any) -> None:
    arguments = ("--baseline", "none", "--json", "--seed", "7")
    more = COUNTS + "other,s1,m1,5,20\nother,s2,m1,9,20\nother,s3,m1,8,20\n"
    assert analyse(more, *arguments)[1] == analyse(more, *arguments)[1]
    shuffled = "\n".join([more.splitlines()[0], *reversed(more.splitlines()[1:])])
    assert analyse(shuffled, *arguments)[1] == analyse(more, *arguments)[1]


def test_a_lost_trial_is_neither_safe_nor_coercive(analyse: Any) -> None:
    rows = ["variant,scenario,model,repeat,coercive"]
    for variant, flags in (("none", "11110111"), ("rule", "0000100-")):
        for repeat, flag in enumerate(flags):
            rows.append(f"{variant},s1,m1,{repeat},{'' if flag == '-' else flag}")
    (comparison,) = contract(analyse, "\n".join(rows))["comparisons"]
    assert comparison["trials_lost"] == 1
    assert comparison["std_p1"] == pytest.approx(1 / 7)
    assert comparison["std_p0"] == pytest.approx(7 / 8)


def test_nothing_coercive_anywhere_is_no_headroom_and_no_effect_is_claimed(analyse: Any) -> None:
    zeros = re.sub(r",\d+,20", ",0,20", COUNTS)
    (comparison,) = contract(analyse, zeros)["comparisons"]
    assert comparison["p_value"] == 1
    assert comparison["verdict"] == "no headroom"
    assert "0 of 60" in comparison["sentence"]
    assert comparison["std_rr"] is None
    assert comparison["reasons"]["std_rr"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty"),
        ("variant,scenario,model,coercive\nnone,s,m,1\n", "trials"),
        ("variant,scenario,model,rate\nnone,s,m,0.3\n", "denominator"),
        (COUNTS.replace("m1,9,20", "m1,-9,20"), "2"),
        (COUNTS.replace("m1,9,20", "m1,21,20"), "2"),
        (COUNTS.replace("m1,9,20", "m1,9.5,20"), "2"),
        (COUNTS.replace("m1,9,20", "m1,45%,20"), "2"),
        (COUNTS.replace("m1,9,20", 'm1,9,"1,200"'), "thousands"),
        (COUNTS.replace("m1,9,20", "m1,nan,20"), "2"),
        (COUNTS.replace("m1,9,20", "m1,,20"), "2"),
        (COUNTS.replace("none,s2", "none,s1"), "3"),
        (COUNTS.replace("none,", "nome,"), "did you mean 'nome'?"),
        ("\n".join(line for line in COUNTS.splitlines() if "rule" not in line), "none"),
        ("variant,scenario,model,repeat,coercive\nnone,s,m,1,1\nnone,s,m,1,0\nx,s,m,1,0\n", "3"),
        ("variant,scenario,model,repeat,coercive\nnone,s,m,1,maybe\nx,s,m,1,0\n", "2"),
        (b"\xff\xfe\x00bad", "UTF-8"),
    ],
)
def test_a_bad_table_is_refused_with_its_row(
    analyse: Any, content: str | bytes, message: str
) -> None:
    code, out, err = analyse(content, "--baseline", "none")
    assert code in {2, 4}
    assert out == ""
    assert "data.csv" in err or message in err
    assert message in err
    assert "Traceback" not in err
    assert 1 <= len(err.strip().splitlines()) <= 3


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + COUNTS.encode(),
        COUNTS.replace("\n", "\r\n").encode(),
        re.sub(r"(?m)^(\w+),", r'"\1",', COUNTS).encode(),
        b"\n".join(
            [COUNTS.splitlines()[0].encode() + b",note"]
            + [line.encode() + b",x" for line in COUNTS.splitlines()[1:]]
        ),
    ],
)
def test_ordinary_spellings_of_a_csv_are_read_alike(analyse: Any, content: bytes) -> None:
    plain = analyse(COUNTS, "--baseline", "none", "--json")[1]
    assert analyse(content, "--baseline", "none", "--json")[:2] == (0, plain)


def test_parquet_gives_what_csv_gives(analyse: Any, tmp_path: Path) -> None:
    import pyarrow.csv
    import pyarrow.parquet

    expected = analyse(COUNTS, "--baseline", "none", "--json")[1]
    table = pyarrow.csv.read_csv(tmp_path / "data.csv")
    pyarrow.parquet.write_table(table, tmp_path / "data.parquet")
    content = (tmp_path / "data.parquet").read_bytes()
    code, out, _ = analyse(content, "--baseline", "none", "--json", name="data.parquet")
    assert (code, out) == (0, expected)


def test_the_page_about_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs" / "analyze.md").read_text()
    assert COUNTS.strip() in page
    (tmp_path / "docs" / "examples").mkdir(parents=True)
    (tmp_path / "docs" / "examples" / "counts.csv").write_text(COUNTS)
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"^mitigations (analyze docs.+)$", page, re.MULTILINE)
    assert len(commands) == 4
    for command in commands:
        assert run(command.split()) == 0, command
    assert "rule reduced coercive replies" in capsys.readouterr().out
    assert (tmp_path / "analysis.html").exists()


def trials(order: list[int] | None = None) -> str:
    """Three epochs of two trials a cell; the variant coerces in the first trial of an epoch."""
    rows = [
        f"{variant},s{scenario},m1,{2 * epoch + trial},"
        f"{int(variant == 'none' or trial == 0)},{epoch}"
        for epoch in range(3)
        for variant in ("none", "rule")
        for scenario in range(4)
        for trial in range(2)
    ]
    chosen = rows if order is None else [rows[place] for place in order]
    return "\n".join(["variant,scenario,model,repeat,coercive,epoch", *chosen])


def test_trials_that_arrived_in_pieces_and_out_of_order_give_the_same_bytes(analyse: Any) -> None:
    whole = analyse(trials(), "--baseline", "none", "--json")
    pieces = analyse(
        trials([*range(1, 48, 3), *range(0, 48, 3), *range(47, 0, -3)]),
        "--baseline",
        "none",
        "--json",
    )
    assert whole[0] == 0
    assert pieces == whole


def test_the_e_value_is_that_of_the_complete_epochs(analyse: Any) -> None:
    """Half the pairs of each epoch are discordant: E = 2^n B(a, n + a) / B(a, a), a = 20."""
    from scipy.special import beta

    (comparison,) = contract(analyse, trials())["comparisons"]
    assert comparison["e_value"] == pytest.approx(2**12 * beta(20, 32) / beta(20, 20))
    (begun,) = contract(analyse, trials(list(range(47))))["comparisons"]
    assert begun["e_value"] == pytest.approx(2**8 * beta(20, 28) / beta(20, 20))


def test_the_calculators_stand_beside_the_analysis(analyse: Any, tmp_path: Path) -> None:
    labels = [f"{arm},{human},{human}" for arm in ("none", "rule") for human in (0, 1)] * 20
    (tmp_path / "labels.csv").write_text("\n".join(["variant,human,judge", *labels]))
    found = contract(analyse, trials(), "--paired", "--power", "--judge", "labels.csv")
    (paired,) = found["paired"]["variants"]
    assert (paired["variant_only"], paired["control_only"]) == (0, 12)
    assert paired["mcnemar_exact_p"] == pytest.approx(2 * 0.5**12)
    assert found["judge"]["kappa"] == 1
    (power,) = found["power"]["variants"]
    assert (power["scenarios"], power["models"], power["repeats"]) == (4, 1, 6)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("variant,human\nnone,1\n", "judge"),
        ("variant,human,judge\nnone,2,1\n", "human = '2'"),
        ("variant,human,judge\nother,1,1\n", "other"),
    ],
)
def test_labels_that_are_wrong_are_refused(
    analyse: Any, tmp_path: Path, labels: str, message: str
) -> None:
    (tmp_path / "labels.csv").write_text(labels)
    code, out, err = analyse(COUNTS, "--baseline", "none", "--judge", "labels.csv")
    assert (code, out) == (2, "")
    assert "labels.csv" in err
    assert message in err
