"""Assembles a report (data only) and renders it.

The doors: `build`, `write`, `sentence`, `model_sentence`, `analysis_json`, `report_json` and the
nouns they take. Rendering libraries are imported when a format is written, never here.
"""

from reports.blocks import Notice, VerdictLine
from reports.build import build
from reports.comparing import NotComparable, RunComparison, RunSide, compare
from reports.contract import analysis_json, verdict_text
from reports.examples import Place, disputed_shown, sample_places
from reports.gate import GateCheck, Gated, gate
from reports.gate_files import gate_markdown, junit
from reports.parts.against import headline
from reports.parts.document import notices
from reports.parts.examples import judges, result, transcript
from reports.parts.paths import RunPoint, history
from reports.parts.standing import news as standing_news
from reports.parts.verdict import verdict_lines
from reports.report import (
    Ablated,
    ArmConfusion,
    AwarenessGap,
    AwarenessProbe,
    AwarenessRow,
    BothVerdicts,
    Confirmed,
    Contrast,
    CorrectedEffect,
    CorrigibilityRow,
    DosePoint,
    EqualErrors,
    Extras,
    FactorEffect,
    JudgeCheck,
    Labeller,
    LabellerAgreement,
    Look,
    ModelRun,
    Pair,
    Report,
    RunInfo,
    Tipping,
    Transcripts,
)
from reports.report_json import comparison_json, report_json
from reports.sentences import model_sentence, sentence
from reports.standing import PanelRun, Standing, VerdictMove, WatchedModel
from reports.tables import arrow_table
from reports.textual import clean
from reports.writer import (
    FORMATS,
    comparison_html,
    destination,
    standing_bytes,
    write,
    write_standing,
    write_summary,
    write_whole,
)

__all__ = [
    "FORMATS",
    "Ablated",
    "ArmConfusion",
    "AwarenessGap",
    "AwarenessProbe",
    "AwarenessRow",
    "BothVerdicts",
    "Confirmed",
    "Contrast",
    "CorrectedEffect",
    "CorrigibilityRow",
    "DosePoint",
    "EqualErrors",
    "Extras",
    "FactorEffect",
    "GateCheck",
    "Gated",
    "JudgeCheck",
    "Labeller",
    "LabellerAgreement",
    "Look",
    "ModelRun",
    "NotComparable",
    "Notice",
    "Pair",
    "PanelRun",
    "Place",
    "Report",
    "RunComparison",
    "RunInfo",
    "RunPoint",
    "RunSide",
    "Standing",
    "Tipping",
    "Transcripts",
    "VerdictLine",
    "VerdictMove",
    "WatchedModel",
    "analysis_json",
    "arrow_table",
    "build",
    "clean",
    "compare",
    "comparison_html",
    "comparison_json",
    "destination",
    "disputed_shown",
    "gate",
    "gate_markdown",
    "headline",
    "history",
    "judges",
    "junit",
    "model_sentence",
    "notices",
    "report_json",
    "result",
    "sample_places",
    "sentence",
    "standing_bytes",
    "standing_news",
    "transcript",
    "verdict_lines",
    "verdict_text",
    "write",
    "write_standing",
    "write_summary",
    "write_whole",
]
