import json
import random
from pathlib import Path
from typing import Any

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from core.challenge import ChallengeKind, ChatDataset
from core.errors import PrerequisiteError
from core.evaluation import CHAT
from evaluators.chat import UnclearError, answer_spans, conversation_of, ending_of, marked, samples
from evaluators.templates import CHATML, ChatTemplate
from tests.evaluators.bench import Bench, Tensors

DATASET = ChatDataset()
LLAMA_3 = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' }}"
    "{% endfor %}"
)
MISTRAL = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ ' ' + message['content'] + eos_token }}"
    "{% else %}{{ raise_exception('only user and assistant') }}{% endif %}{% endfor %}"
)
THINKING = """{%- for message in messages %}
    {%- if message.role == "assistant" %}
        {%- set content = message.content.split('</think>')[-1].lstrip('\\n') %}
        {{- '<|im_start|>assistant\\n' }}
        {%- if loop.last %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}
        {{- content + '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}"""
PHI = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\n' + message['content'] + '<|end|>\n' }}{% endfor %}"
    "{{ '<|endoftext|>' }}"
)
TEMPLATES = {"chatml": CHATML, "llama": LLAMA_3, "mistral": MISTRAL, "thinking": THINKING, "phi": PHI}
ENDINGS = {"chatml": "<|im_end|>", "llama": "<|eot_id|>", "mistral": "</s>", "thinking": "<|im_end|>", "phi": "<|end|>"}


@pytest.fixture(scope="module")
def tokenizer(base: Path) -> Any:
    return AutoTokenizer.from_pretrained(base)


def talk(*contents: str, system: str | None = None) -> dict[str, Any]:
    roles = ("user", "assistant") * len(contents)
    turns = [{"from": role, "value": content} for role, content in zip(roles, contents, strict=False)]
    return {"conversations": [*([{"from": "system", "value": system}] if system else []), *turns]}


def counted_text(row: dict[str, Any], tokenizer: Any, length: int = 999, dataset: ChatDataset = DATASET) -> str:
    ((sequence,),) = samples([row], dataset, tokenizer, length)
    return "".join(tokenizer.decode([token]) for token in sequence.targets)


@pytest.mark.parametrize("name", TEMPLATES)
def test_answers_and_the_ends_of_their_turns_count(tokenizer: Any, name: str) -> None:
    tokenizer.chat_template = TEMPLATES[name]
    row = talk("Say name", "print", "for user", " numbers\n")
    dataset = ChatDataset(chat_template="base")
    end, last = ENDINGS[name], " numbers\n".strip() if name == "llama" else " numbers\n"
    found = counted_text(row, tokenizer, dataset=dataset)
    assert found.replace(" ", "") == f"print{end}{last}{end}".replace(" ", "")


@pytest.mark.parametrize("name", TEMPLATES)
def test_rendered_as_transformers_does(tokenizer: Any, name: str) -> None:
    tokenizer.chat_template = TEMPLATES[name]
    messages = conversation_of(talk("a", "b ", "ü</think>c", "数 <|im_end|>"), DATASET)
    (ours,) = ChatTemplate("base", tokenizer).render([messages])
    assert ours == tokenizer.apply_chat_template(messages, tokenize=False)


def test_chatml_is_chatml(tokenizer: Any) -> None:
    (text,) = ChatTemplate("chatml", tokenizer).render([conversation_of(talk("a", "b", system="s"), DATASET)])
    assert text == (
        "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n"
    )


def test_the_whole_text_is_cut_on_the_right(tokenizer: Any) -> None:
    row = talk("a", "name name", "b", "sum")
    ((whole,),), ((cut,),) = (samples([row], DATASET, tokenizer, length) for length in (999, 60))
    assert cut.tokens == whole.tokens[:60] and cut.counted == tuple(at for at in whole.counted if at < 60)
    assert 0 < len(cut.counted) < len(whole.counted)


def test_what_follows_the_last_answer_changes_nothing(tokenizer: Any) -> None:
    assert samples([talk("a", "b", "c")], DATASET, tokenizer, 99) == samples([talk("a", "b")], DATASET, tokenizer, 99)
    assert samples([talk("a")], DATASET, tokenizer, 99)[0][0].counted == ()
    assert samples([{"conversations": []}], DATASET, tokenizer, 99)[0][0].counted == ()


def test_an_empty_answer_does_not_count(tokenizer: Any) -> None:
    assert counted_text(talk("a", "", "b", "sum"), tokenizer) == "sum<|im_end|>"


def test_names_of_the_challenge(tokenizer: Any) -> None:
    dataset = ChatDataset(
        chat_column="talk",
        chat_role_field="who",
        chat_content_field="what",
        chat_user_reference="human",
        chat_assistant_reference="gpt",
    )
    row = {"talk": [{"who": "human", "what": "a"}, {"who": "gpt", "what": "sum", "more": 1}]}
    assert samples([row], dataset, tokenizer, 99) == samples([talk("a", "sum")], DATASET, tokenizer, 99)


PIECES = st.text(st.sampled_from("ab <|im_end>\n</think>GOD1SHOWN{}%数🙂"), max_size=12)


@given(contents=st.lists(PIECES, min_size=2, max_size=6))
def test_spans_are_the_answers_whatever_they_say(contents: list[str]) -> None:
    """chatml by hand: what the contents spell is never taken for the template's."""
    messages = conversation_of(talk(*contents), DATASET)
    text, with_marks = (
        jinja2.Template(CHATML, keep_trailing_newline=True).render(messages=m) for m in (messages, marked(messages))
    )
    spans = answer_spans(messages, text, with_marks, "<|im_end|>")
    answers = [message["content"] for message in messages if message["role"] == "assistant"]
    assert [text[begin:end] for begin, end in spans] == [f"{answer}<|im_end|>" for answer in answers if answer]


REWRITING = {
    "changes an answer": "{% for m in messages %}{{ m.content + (m.content | length | string) }}{% endfor %}",
    "leaves out an answer": "{% for m in messages[:1] %}{{ m.content }}{% endfor %}",
    "or writes it twice": "{% for m in messages %}{{ m.content + m.content }}{% endfor %}",
    "before an answer otherwise": "{{ messages[1].content | length }}" + CHATML,
}


@pytest.mark.parametrize("reason", REWRITING)
def test_templates_that_rewrite_answers(tokenizer: Any, reason: str) -> None:
    tokenizer.chat_template = REWRITING[reason]
    rows = [talk("a", "b"), talk("a", "bcde " * 9)]
    with pytest.raises(PrerequisiteError, match=f"row [01] of the test set: .*{reason}"):
        samples(rows, ChatDataset(chat_template="base"), tokenizer, 99)


HOSTILE = {
    "longer than 2 s": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "Range too big": "{% for a in range(10**9) %}{% endfor %}",
    "takes too much memory": "{{ ('a' * 10**9) | length }}",
    "writes more than": "{% for a in range(9000) %}{{ 'a' * 1000 }}{% endfor %}",
    "it had to be stopped": "{{ 9 ** (9 ** 9) }}",
    "reaches for '__class__'": "{{ messages.__class__ }}",
    "reaches for '__globals__'": "{{ raise_exception.__globals__ }}",
    "reaches for 'mro'": "{{ messages[0].items.mro }}{{ cycler.mro }}",
    "SecurityError": "{{ '{0.__class__}'.format(messages) }}",
    "is not safely callable|no attribute|SecurityError": "{{ messages.append(1) }}",
    "TemplateSyntaxError": "{% for %}",
    "TemplateError: no": "{{ raise_exception('no') }}",
    "TemplateNotFound|no loader": "{% include '/etc/passwd' %}",
    "RecursionError|nested": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
}


@pytest.mark.parametrize("reason", HOSTILE)
def test_hostile_templates_are_refused(tokenizer: Any, reason: str) -> None:
    tokenizer.chat_template = HOSTILE[reason]
    with pytest.raises(PrerequisiteError, match=f"the chat template 'base' is refused: .*({reason}).*; use chatml"):
        samples([talk("a", "b")], ChatDataset(chat_template="base"), tokenizer, 99)


def test_a_template_that_hangs_on_one_row_names_it(tokenizer: Any) -> None:
    tokenizer.chat_template = "{% if messages[0].content == 'loop' %}{{ raise_exception('row') }}{% endif %}" + CHATML
    with pytest.raises(PrerequisiteError, match="row 1 of the test set: the chat template 'base' is refused"):
        samples([talk("a", "b"), talk("loop", "b")], ChatDataset(chat_template="base"), tokenizer, 99)


def test_templates_that_are_not_there(tokenizer: Any) -> None:
    tokenizer.chat_template = None
    with pytest.raises(PrerequisiteError, match="has no chat template: prepare the challenge with chatml"):
        samples([talk("a", "b")], ChatDataset(chat_template="base"), tokenizer, 99)
    with pytest.raises(PrerequisiteError, match="chat template 'alpaca' is unknown"):
        samples([talk("a", "b")], ChatDataset(chat_template="alpaca"), tokenizer, 99)


BROKEN: dict[str, tuple[Any, str]] = {
    "no such column": ({"talk": []}, "no row of the test set has the column 'conversations' .the first has talk."),
    "a text": ({"conversations": "hello"}, "row 0 of the test set: 'conversations' is no list of messages"),
    "a row of another type": ({"conversations": None}, "row 0 .* is no list"),
    "no object": ({"conversations": ["hello"]}, "row 0 of the test set: message 0 is no object"),
    "another role": ({"conversations": [{"from": "tool", "value": "x"}]}, "message 0: its 'from' 'tool' is none of"),
    "no role": ({"conversations": [{"value": "x"}]}, "its 'from' None is none of"),
    "no content": ({"conversations": [{"from": "user"}]}, "message 0: 'value' is no text"),
    "broken Unicode": ({"conversations": [{"from": "user", "value": "\ud800"}]}, "'value' is broken Unicode"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_rows_that_are_no_conversations(tokenizer: Any, name: str) -> None:
    row, reason = BROKEN[name]
    with pytest.raises(PrerequisiteError, match=reason):
        samples([row], DATASET, tokenizer, 99)


def test_an_ending_must_follow_every_answer() -> None:
    messages = conversation_of(talk("a", "b"), DATASET)
    with pytest.raises(UnclearError, match="does not end every answer with 'END'"):
        answer_spans(messages, "a:b.", marked(messages)[1]["content"].join(("a:", ".")), "END")


def test_a_template_without_ends(tokenizer: Any) -> None:
    assert ending_of("user: GOD0SHOWN\nassistant: GOD1SHOWN\nuser: GOD2SHOWN\nassistant: GOD3SHOWN\n", tokenizer) == ""


def test_a_job_of_chat(tmp_path: Path, long_base: Path, tuned: Tensors) -> None:
    bench = Bench(tmp_path, long_base)
    bench.save(tuned)
    rows = [talk("a", "sum"), talk("name", "print name", "b", "c", system="x"), talk("silent")]
    how = {"kind": ChallengeKind.CHAT, "definition": CHAT, "dataset_type": DATASET, "max_tokens": 4096}
    result = bench.evaluate(rows, **how)
    shuffled = random.Random(1).sample(rows, 3)
    assert [example.weight > 0 for example in result.examples] == [True, True, False]
    again = {example.row_sha256: example.total for example in bench.evaluate(shuffled, **how).examples}
    assert again == {example.row_sha256: example.total for example in result.examples}
    assert json.loads((result.outputs / "report.json").read_bytes())["outcome"]["rows"] == 3
