"""Three protocols, the same actions; and what cannot be read is never safe."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mitigations.model import Action, ActionProtocol, ModelSpec, Reply, ReplyStatus, ToolSpec
from runner.protocols import (
    Unreadable,
    actions,
    clean,
    default_protocol,
    instructions,
    response_schema,
    thoughts,
    write,
)

TOOLS = (
    ToolSpec(
        name="send_email",
        description="Send an email.",
        parameters={"to": "recipient address", "subject": "subject line", "body": "text"},
    ),
    ToolSpec(name="run_command", description="Run a command.", parameters={"command": "command"}),
    ToolSpec(name="wait", description="Do nothing for now.", parameters={}),
)
MAIL = Action(
    tool="send_email", arguments={"to": "a@example.com", "subject": "Hi", "body": "Hello"}
)
HOSTILE = st.one_of(
    st.text(max_size=60),
    st.text(alphabet=st.characters(categories=["Cs", "Cc", "Zs", "Po", "Sm"]), max_size=20),
    st.sampled_from(
        [
            "</body>",
            "</action>",
            '<action tool="send_email">',
            "<think>",
            "</think>",
            "&lt;/body&gt;",
            "&amp;lt;",
            "&#60;",
            '"}]}',
            "```",
            "\\ud800",
            "\ud800",
            "\ud83d\ude00",
            "\n two lines \n",
            "{x.__class__}",
            "<BODY>",
            "]]>",
        ]
    ),
)


@st.composite
def made_actions(draw):
    tool = draw(st.sampled_from(TOOLS))
    values = {name: "".join(draw(st.lists(HOSTILE, max_size=3))) for name in tool.parameters}
    return Action(tool=tool.name, arguments=values)


def read(text="", protocol=ActionProtocol.TAGS, *, calls=(), status=ReplyStatus.ANSWERED):
    return actions(Reply(status=status, text=text, tool_calls=tuple(calls)), protocol, TOOLS)


def tidy(acts):
    return tuple(
        Action(tool=a.tool, arguments={k: clean(v) for k, v in a.arguments.items()}) for a in acts
    )


@pytest.mark.parametrize("protocol", list(ActionProtocol))
@settings(max_examples=60, deadline=None)
@given(acts=st.lists(made_actions(), max_size=4))
@example(acts=[Action(tool="run_command", arguments={"command": "\x1c x \x85"})])
def test_writing_and_reading_gives_the_same_actions(protocol, acts):
    text, calls = write(acts, protocol)
    assert read(text, protocol, calls=calls) == tidy(acts)


@pytest.mark.parametrize("protocol", [ActionProtocol.JSON, ActionProtocol.TAGS])
@settings(max_examples=60, deadline=None)
@given(text=HOSTILE)
def test_any_text_is_read_or_refused(protocol, text):
    """A model can say anything: nothing but actions or `Unreadable` may come of it."""
    for reply in (text, f'{{"actions": [{text}]}}', f'<action tool="run_command">{text}</action>'):
        try:
            found = read(reply, protocol)
        except Unreadable:
            continue
        assert all(isinstance(act, Action) for act in found)


def test_thoughts_are_no_actions():
    """A planned threat that was not sent is not judged; one that was sent is."""
    text = f"<think>{write([MAIL], ActionProtocol.TAGS)[0]}</think>I will not write to anyone."
    assert read(text) == ()
    plan = write([Action(tool="run_command", arguments={"command": "x"})], ActionProtocol.TAGS)[0]
    assert read(f"<scratchpad>{plan}</scratchpad>{write([MAIL], ActionProtocol.TAGS)[0]}") == (
        MAIL,
    )
    opened_in_the_prompt = f"{plan[:-9]}</think>" + write([MAIL], ActionProtocol.TAGS)[0]
    with pytest.raises(Unreadable):
        read(opened_in_the_prompt)
    assert read("I could wait.</think>" + write([MAIL], ActionProtocol.TAGS)[0]) == (MAIL,)


def test_models_that_do_not_escape_are_read():
    text = (
        "Two steps.\n<Action tool = 'send_email'>\n<to>a@example.com</to>\n<subject>Q&A</subject>"
        "\n<body>\nif a < b & c > d: &copy\n</body>\n</action>\nDone."
    )
    (act,) = read(text)
    assert act.arguments == {
        "to": "a@example.com",
        "subject": "Q&A",
        "body": "if a < b & c > d: &copy",
    }


def test_several_recipients_are_joined_and_numbers_are_text():
    body = {"to": ["a@x.org", "b@x.org"], "subject": 7, "body": True}
    text = json.dumps({"thinking": "hm", "actions": [{"tool": "send_email", "arguments": body}]})
    (act,) = read(f"```json\n{text}\n```", ActionProtocol.JSON)
    assert act.arguments == {"to": "a@x.org, b@x.org", "subject": "7", "body": "true"}


@pytest.mark.parametrize("protocol", [ActionProtocol.TOOLS, ActionProtocol.TAGS])
def test_prose_without_action_did_nothing(protocol):
    assert read("I will leave this to the team; sending emails is not needed.", protocol) == ()


@pytest.mark.parametrize("protocol", list(ActionProtocol))
def test_a_typed_refusal_did_nothing(protocol):
    assert read("I can't help with that.", protocol, status=ReplyStatus.REFUSED) == ()


@pytest.mark.parametrize(
    "status", [s for s in ReplyStatus if s not in (ReplyStatus.ANSWERED, ReplyStatus.REFUSED)]
)
@pytest.mark.parametrize("protocol", list(ActionProtocol))
def test_no_other_status_is_read(protocol, status):
    text, calls = write([MAIL], protocol)
    with pytest.raises(Unreadable, match=status):
        read(text, protocol, calls=calls, status=status)


GOOD = '{"tool": "run_command", "arguments": {"command": "ls"}}'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I will not.",
        "[]",
        "{}",
        '{"actions": null}',
        '{"actions": [' + GOOD,
        '{"actions": [' + GOOD + '], "verdict": 0}',
        '{"actions": []} {"actions": [' + GOOD + "]}",
        '{"actions": [], "actions": [' + GOOD + "]}",
        '{"actions": [{"tool": "fly", "arguments": {}}]}',
        '{"actions": [{"tool": ["wait"], "arguments": {}}]}',
        '{"actions": [{"tool": "run_command", "arguments": {}}]}',
        '{"actions": [{"tool": "run_command", "arguments": {"command": null}}]}',
        '{"actions": [{"tool": "run_command", "arguments": {"command": NaN}}]}',
        '{"actions": [{"tool": "run_command", "arguments": "ls"}]}',
        '{"actions": [{"tool": "wait", "arguments": {"for": "ever"}}]}',
        '{"actions": [{"tool": "wait"}]}',
        '{"actions": ["wait"]}',
        "[" * 100_000,
        '{"actions": ' + "9" * 5000 + "}",
    ],
)
def test_broken_json_is_unreadable(text):
    with pytest.raises(Unreadable):
        read(text, ActionProtocol.JSON)


@pytest.mark.parametrize(
    "text",
    [
        "<action>wait</action>",
        '<action tool="fly"></action>',
        '<action tool="run_command"></action>',
        '<action tool="run_command"><command>ls</action>',
        '<action tool="run_command"><command>ls</command>',
        '<action tool="run_command"><command>a</command><command>b</command></action>',
        '<action tool="run_command">now <command>ls</command></action>',
        '<action tool="wait"><for>ever</for></action>',
        '<action tool="wait"><action tool="wait"></action></action>',
        "<action",
        "<action tool='wait'/>",
        "done</action>",
        "<think>I should wait",
        '<think>hm</think><action tool="wait"></action></think>',
        '{"name": "send_email", "arguments": {"to": "a@example.com"}}',
        '<invoke name="send_email"><parameter name="to">a@example.com</parameter></invoke>',
        "<tool_call>send it</tool_call>",
    ],
)
def test_broken_tags_and_calls_in_prose_are_unreadable(text):
    with pytest.raises(Unreadable):
        read(text)


def test_native_calls_are_held_against_the_tools():
    assert read(calls=[MAIL], protocol=ActionProtocol.TOOLS) == (MAIL,)
    for call in (
        Action(tool="fly", arguments={}),
        Action(tool="run_command", arguments={}),
        Action(tool="wait", arguments={"for": "ever"}),
    ):
        with pytest.raises(Unreadable):
            read(calls=[call], protocol=ActionProtocol.TOOLS)
    with pytest.raises(Unreadable, match="prose"):
        read('{"tool": "send_email"}', ActionProtocol.TOOLS)


@pytest.mark.parametrize(
    ("spec", "protocol"),
    [
        (ModelSpec(route="local/smollm2"), ActionProtocol.JSON),
        (ModelSpec(route="simulated/published"), ActionProtocol.TOOLS),
        (ModelSpec(route="anthropic/claude-x"), ActionProtocol.TOOLS),
        (ModelSpec(route="local/smollm2", protocol=ActionProtocol.TAGS), ActionProtocol.TAGS),
    ],
)
def test_the_protocol_follows_capability_unless_the_spec_says(spec, protocol):
    assert default_protocol(spec) is protocol


def test_instructions_show_every_tool_and_read_back_as_shown():
    """What the prompt shows as the form must be a form the reader accepts."""
    assert instructions(ActionProtocol.TOOLS, TOOLS) == ""
    assert instructions(ActionProtocol.TAGS, ()) == ""
    tags = instructions(ActionProtocol.TAGS, TOOLS)
    assert [act.tool for act in read(tags)] == [tool.name for tool in TOOLS]
    shapes = [
        line for line in instructions(ActionProtocol.JSON, TOOLS).splitlines() if line[2:3] == "{"
    ]
    shown = read('{"actions": [' + ",".join(shapes) + "]}", ActionProtocol.JSON)
    assert [act.tool for act in shown] == [tool.name for tool in TOOLS]


def test_the_schema_has_one_closed_shape_per_tool():
    schema = response_schema(TOOLS, thinking=True)
    shapes = schema["properties"]["actions"]["items"]["anyOf"]
    assert list(schema["properties"]) == ["thinking", "actions"]
    for shape, tool in zip(shapes, TOOLS, strict=True):
        assert shape["properties"]["tool"]["enum"] == [tool.name]
        assert shape["properties"]["arguments"]["required"] == list(tool.parameters)
        assert shape["properties"]["arguments"]["additionalProperties"] is False
    assert "thinking" not in response_schema(TOOLS)["properties"]
    mail = response_schema(TOOLS, choices={"to": ["a@example.com"]})["properties"]["actions"]
    arguments = mail["items"]["anyOf"][0]["properties"]["arguments"]["properties"]
    assert arguments["to"]["enum"] == ["a@example.com"]
    assert arguments["subject"]["maxLength"] < arguments["body"]["maxLength"]


def test_visible_thoughts_leave_out_the_actions():
    sent = write([MAIL], ActionProtocol.TAGS)[0]
    reply = Reply(
        status=ReplyStatus.ANSWERED, reasoning="one", text=f"<think>two</think> three {sent}"
    )
    assert thoughts(reply, ActionProtocol.TAGS).split() == ["one", "two", "three"]
    quiet = Reply(status=ReplyStatus.ANSWERED, text='{"thinking": "four", "actions": []}')
    assert thoughts(quiet, ActionProtocol.JSON) == "four"
