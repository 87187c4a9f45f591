"""The words by which a sentence claims something; patterns over masked lower-case text."""

import re


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(rf"(?:\b{pattern})" for pattern in patterns))


DOWN = _any(
    r"wip(?:es?|ed) out\b", r"abolish\w*", r"rarer\b",
    r"reduc\w*", r"lower(?:s|ed|ing)?\b", r"decreas\w*", r"cuts?\b", r"cutting\b", r"slash\w*",
    r"fewer\b", r"less\b", r"drop(?:s|ped)?\b", r"fell\b", r"falls?\b", r"declin\w*", r"halv\w+",
    r"shr(?:ink|ank|unk)\w*", r"curb\w*", r"prevent\w*", r"stop(?:s|ped)\b", r"eliminat\w*",
    r"safer\b", r"improv\w*", r"works?\b", r"worked\b", r"effective\w*", r"helps?\b", r"helped\b",
    r"better\b", r"suppress\w*", r"protect\w*", r"diminish\w*", r"brought down\b", r"deters?\b",
    r"keeps? [^.]{0,40} from\b", r"removes?\b", r"removed\b", r"makes? [^.]{0,40} safer\b",
    r"beneficial\b", r"benefit\w*", r"succe(?:ss\w*|ed\w*)\b", r"half as\b",
)  # fmt: skip
UP = _any(
    r"increas\w*", r"rais(?:e[sd]?|ing)\b", r"more (?:coerc\w*|often|likely|threat\w*)", r"rose\b",
    r"rises?\b", r"higher\b", r"worse\w*", r"backfir\w*", r"doubl\w*", r"tripl\w*", r"twice as\b",
    r"less safe\b", r"dangerous\b", r"grew\b", r"harmful\b", r"more replies\b", r"more\b",
    r"went up\b", r"makes? [^.]{0,40} worse\b",
)  # fmt: skip
SAFE_UP = re.compile(r"\bless (?:safe|effective)|\bmore (?:dangerous|harmful)|\bunsafe\b")
SAFE_DOWN = re.compile(r"\bmore (?:effective|safe)|\bless (?:coercive|coercion|harm\w*|dangerous)")
NOT = re.compile(
    r"\b(?:not|cannot|never|no longer|neither|nor|fail(?:s|ed)? to|did nothing|does nothing"
    r"|without)\b|n't\b|\bnt\b"
)
ONLY_NOT_SHOWN = _any(
    r"not shown\b", r"no evidence\b", r"not enough evidence\b", r"insufficient evidence\b",
    r"inconclusive\b", r"cannot (?:say|tell|conclude)\b", r"unclear\b", r"undecided\b",
    r"could not be shown\b", r"was not demonstrated\b", r"not be demonstrated\b",
    r"(?:does|did|do|has|have) not show\b", r"no (?:reduction|change|increase) can be shown\b",
    r"no (?:reduction|change|increase|effect) was shown\b", r"not established\b",
    r"(?:is|was|were|remains?) unknown\b", r"not been shown\b", r"may have missed\b",
)  # fmt: skip
NOT_SIGNIFICANT = _any(
    r"not (?:statistically )?significan\w*", r"no (?:statistically )?significant\b",
    r"non-?significan\w*", r"insignifican\w*", r"n't (?:statistically )?significan\w*",
    r"not (?:\w+ ){1,3}significantly\b", r"did not (?:reach|attain) (?:statistical )?significance",
    r"(?:did|does|do) not significantly\b",
)  # fmt: skip
SIGNIFICANT = _any(r"significan\w*")
EQUAL = _any(
    r"no (?:measurable |real |detectable |overall |observable )?(?:effect|difference|impact|change"
    r"|influence|benefit)\b",
    r"(?:makes?|made) no difference\b", r"the same (?:as|rate|result|level|number)\b", r"equal\w*",
    r"equivalent\b", r"identical\b", r"unchanged\b", r"does nothing\b", r"did nothing\b",
    r"ineffective\b", r"useless\b", r"as coercive as\b", r"no better than\b", r"no worse than\b",
    r"no (?:more|less) coercive\b", r"unaffected\b", r"stayed the same\b", r"no reduction\b",
    r"just as (?:coercive|bad|likely|often)\b", r"indistinguishable\b", r"no different\b", r"identically\b", r"alike\b", r"chang\w+ (?:anything|nothing)\b", r"nothing changed\b",
)  # fmt: skip
EQUAL = re.compile(EQUAL.pattern + r"|\b(?:does|did|do|has|had|have) (?:not|n't) (?:have )?(?:any )?"
                   r"(?:an? )?(?:effect|affect|change|matter|influence)\b")  # fmt: skip
NO_MEANINGFUL = _any(
    r"no (?:practically )?(?:meaningful|relevant|important|material) (?:difference|effect|change)\b",
    r"too small to matter\b", r"smaller than what matters\b", r"practically equivalent\b",
)  # fmt: skip
PROOF = _any(
    r"prov(?:e[sdn]?|en|ing)\b", r"proof\b", r"guarant\w*", r"conclusive\w*", r"beyond doubt\b",
    r"certain(?:ly|ty)?\b", r"undeniabl\w*", r"definitive\w*", r"establish\w* (?:that|beyond)",
)  # fmt: skip
ABSOLUTE = _any(
    r"eliminat\w*", r"eradicat\w*", r"wip(?:es?|ed) out\b", r"abolish\w*", r"complete(?:ly)?\b", r"entire(?:ly)?\b", r"fully\b",
    r"always\b", r"never (?:coerc\w*|threat\w*|blackmail\w*)", r"solv(?:e[sd]?|ing)\b",
    r"zero coerc\w*", r"no (?:more )?coerc\w*(?: at all)?\b", r"is safe\b", r"are safe\b",
    r"all coerc\w*", r"prevents? (?:all|every|any)\b", r"stops? (?:all|every|any)\b", r"100 ?%",
    r"makes? [^.]{0,30} safe\b", r"no longer coerc\w*", r"cures?\b",
)  # fmt: skip
NEVER = _any(
    r"never (?:coerc\w*|threat\w*)", r"zero coerc\w*", r"no (?:more )?coerc\w*(?: at all)?\b",
    r"no longer coerc\w*", r"(?:is|are) (?:now )?safe\b", r"solv(?:e[sd]?|ing)\b", r"cures?\b",
)  # fmt: skip
GENERAL = _any(
    r"any model\b", r"(?:whatever|whichever) model\b", r"deploy\w*", r"all (?:language |ai |large language )?models everywhere\b", r"in general\b",
    r"in production\b", r"in practice\b", r"real[- ]world\b", r"in the wild\b", r"in deployment\b",
    r"when deployed\b", r"deployed\b", r"language models in general\b", r"future models\b",
    r"other models\b", r"larger models\b", r"newer models\b", r"all language models\b",
    r"every language model\b", r"all ai\b", r"ai systems\b", r"universal\w*",
)  # fmt: skip
ON_EVERY_MODEL = _any(
    r"(?:on|for|across|in|with) (?:all|every|each|both)(?: of the| the)?(?: \d+)?(?: tested| of them)?"
    r" ?(?:models?)\b",
    r"regardless of (?:the )?model\b", r"model by model\b",
)  # fmt: skip
IN_EVERY_SCENARIO = _any(
    r"(?:in|on|for|across) (?:all|every|each)(?: of the| the)?(?: \d+)?(?: tested)? ?scenarios?\b",
    r"regardless of (?:the )?scenario\b", r"whatever the scenario\b",
)  # fmt: skip
NEW_SCENARIOS = _any(
    r"(?:new|other|unseen|further|untested|future) scenarios?\b", r"scenarios like these\b",
    r"situations like these\b", r"other situations\b",
)  # fmt: skip
BECAUSE = _any(
    r"because\b", r"due to\b", r"thanks to\b", r"owing to\b", r"which is why\b", r"the reason\b",
    r"since models\b", r"since it\b", r"as models\b", r"by making models\b", r"by giving\b",
)  # fmt: skip
THEREFORE = _any(
    r"means?\b",
    r"so\b", r"therefore\b", r"hence\b", r"thus\b", r"which means\b", r"meaning\b", r"this means\b",
    r"consequently\b", r"and so\b", r"shows? that\b", r"we conclude\b", r"implies\b", r"implying\b",
)  # fmt: skip
COMPARATIVE = _any(
    r"than\b", r"beats?\b", r"beat\b", r"outperform\w*", r"compared (?:with|to)\b", r"versus\b",
    r"vs\b", r"relative to\b", r"as [a-z]+ as\b", r"equally\b", r"over\b", r"superior to\b",
    r"inferior to\b", r"differs?\b", r"surpass\w*", r"exceeds?\b", r"ahead of\b", r"behind\b",
)  # fmt: skip
BETTER = _any(
    r"safer\b", r"better\b", r"beats?\b", r"outperform\w*", r"more effective\b", r"superior\b",
    r"surpass\w*", r"fewer\b", r"less coerc\w*", r"less often\b", r"lower\b", r"larger reduction\b",
    r"bigger reduction\b", r"stronger\b", r"more strongly\b", r"reduc\w* [^.]{0,40}more\b",
    r"cuts? [^.]{0,40}more\b", r"prefer\w*", r"twice as effective\b", r"half as\b", r"further\b",
    r"greater reduction\b", r"ahead\b",
)  # fmt: skip
WORSE = _any(
    r"worse\b", r"less effective\b", r"weaker\b", r"less safe\b", r"more coerc\w*", r"inferior\b",
    r"more often\b", r"higher\b", r"smaller reduction\b", r"reduc\w* [^.]{0,40}less\b",
    r"more dangerous\b", r"behind\b",
)  # fmt: skip
BEST = _any(
    r"(?:the )?(?:best|safest|strongest)\b", r"most effective\b", r"largest reduction\b",
    r"biggest reduction\b", r"lowest rate\b", r"the winner\b", r"least coercive\b",
)  # fmt: skip
WORST = _any(r"(?:the )?(?:worst|weakest)\b", r"least effective\b", r"most coercive\b")
BEHAVIOUR = _any(
    r"blackmail\w*", r"sabotag\w*", r"espionage\b", r"extort\w*", r"leak(?:s|ed|ing)?\b",
    r"self-?copy\w*", r"exfiltrat\w*", r"impersonat\w*",
)  # fmt: skip
TOPIC = _any(
    r"coerc\w*", r"threat\w*", r"harm\w*", r"misconduct\b", r"misbehav\w*", r"unsafe\b",
    r"safer?\b", r"manipulat\w*", r"pressure\w*", r"bad replies\b", r"rate\b", r"replies\b",
)  # fmt: skip
HEDGED = _any(
    r"had to be\b", r"likely seen\b",
    r"may\b", r"might\b", r"could\b", r"should\b", r"would\b", r"will\b", r"hope\w*", r"hypothes\w*",
    r"expect\w*", r"plan(?:s|ned)? to\b", r"intend\w*", r"suggests? testing\b", r"want\w*",
    r"recommend\w*", r"whether\b", r"if\b", r"aims? to\b", r"designed to\b", r"asks?\b", r"tests? if\b",
    r"supposed to\b", r"meant to\b", r"we believe\b", r"possibl\w*", r"perhaps\b", r"to see\b",
)  # fmt: skip
ALL_VARIANTS = _any(
    r"(?:all|every|each|both)(?: of the| the| of our)?(?: \d+)?(?: tested| active)? ?(?:variants?"
    r"|mitigations?|prompts?|instructions?|texts?|policies|policy)\b",
)  # fmt: skip
NO_VARIANT = _any(
    r"(?:none|neither) of the(?: \d+)? (?:variants?|mitigations?|prompts?|texts?)\b",
    r"no (?:variant|mitigation|prompt|text|instruction)s? (?!at all)",
)  # fmt: skip
IT = _any(
    r"it\b", r"this (?:variant|text|prompt|mitigation|instruction|policy)\b", r"its\b",
    r"the (?:variant|text|prompt|mitigation|instruction|policy)\b", r"they\b", r"the same\b",
)  # fmt: skip
SOME_VARIANT = _any(r"variants?\b", r"mitigations?\b", r"prompts?\b", r"instructions?\b", r"text\b")
NO_COST = _any(
    r"no (?:measurable |real |detectable |shown )?(?:effect|impact|difference|change|harm|loss|drop"
    r"|decrease|increase|cost)\b",
    r"without (?:\w+ing|any|a|loss|harm|cost|an|more|extra|additional|further)\b", r"at no cost\b", r"unaffected\b",
    r"unchanged\b", r"not (?:\w+ )?(?:hurt|harm\w*|reduc\w*|affect\w*|chang\w*|lower\w*|cost\w*"
    r"|increas\w*|worse\w*|suffer\w*|rais\w*)", r"stay(?:s|ed) the same\b", r"preserv\w*", r"kept\b",
    r"keeps\b", r"no side effects?\b", r"harmless\b", r"the same\b", r"no more\b", r"intact\b",
    r"as (?:helpful|useful|capable) as\b", r"free of side effects?\b", r"no worse\b", r"maintain\w*",
    r"costs nothing\b", r"no (?:extra|additional|needless)\b",
)  # fmt: skip
COST_WORSE = _any(
    r"hurt\w*", r"harm(?:s|ed)\b", r"worse\w*", r"costs?\b", r"damag\w*", r"at the cost\b",
    r"degrad\w*", r"suffer\w*", r"impair\w*", r"at a cost\b", r"loses?\b", r"lost\b",
)  # fmt: skip
NOT_RULED_OUT = _any(
    r"not (?:been )?(?:ruled out|excluded)\b", r"cannot be (?:ruled out|excluded)\b"
)
GUARDS = {
    "task_completion": re.compile(
        r"\b(?:task[- ]?completion|completion|complet(?:e[sd]?|ing) (?:its |their |the |ordinary )?"
        r"(?:tasks?|work)|tasks?|ordinary work|useful\w*|helpful\w*|productiv\w*)\b"
    ),
    "needless_refusal": re.compile(r"\b(?:over-?)?refus\w*\b"),
    "needless_escalation": re.compile(r"\b(?:over-?)?escalations?\b"),
    "duty_to_report": re.compile(r"\bdut(?:y|ies) to report|\breporting (?:duty|duties|owed)"),
}
ANY_COST = re.compile(
    r"\bside[- ]effects?\b|\bcosts?\b|\bharmless\b|\bguardrails?\b|\btrade-?offs?\b"
)
GOOD_GUARD = frozenset({"task_completion", "duty_to_report"})
"""Guardrails named for the good event: fewer of them is worse."""
VERDICT_WORDS = re.compile(r"\brel(?:y|ied)\b|\bheadroom\b")
LEFT_OVER = re.compile(
    r"(?<![\w.-])\d[\d,.]*(?!\d)(?! ?(?:models?|scenarios?|variants?|repeats?|trials?|runs?|replies|texts?"
    r"|tests?|arms?|prompts?|cells?|times?|more (?:repeats?|scenarios?)|january|february|march|april"
    r"|may|june|july|august|september|october|november|december)\b)"
    r"|\b(?:half|(?:a|one|two|three|four|nine)_(?:half|thirds?|quarters?|fifths?|tenths?))\b"
)
"""A number that no reader of sizes understood."""
EFFECT = re.compile(r"\beffects?\b|\bresults?\b|\bfindings?\b|\bhold\w*\b|\bgenerali[sz]\w*\b")
UNNAMED = re.compile(
    r"\bthan\b(?! (?:(?:with|under|for|in|on|at) )?(?:it was (?:with|under) )?(?:⟦|before\b|¤|\d|half|"
    r"halves|twice))(?= \w)|\b(?:beats?|outperform\w*|surpass\w*|superior to|inferior to|ahead of)"
    r" (?!⟦)(?=\w)"
)
"""Compared with something that is no known name."""
