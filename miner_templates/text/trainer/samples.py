"""Rows of each kind as tokens and masks, the same that are measured: what is not scored there is not trained here."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from trainer.rows import Row

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
)
ROLE_AND_CONTENT = (("role", "from"), ("content", "value"))
"""What a message's fields are called where the challenge does not say."""


@dataclass
class Sample:
    """A text, and what of it is scored."""

    ids: list[int]
    labels: list[int]
    """The ids, with -100 where nothing is scored; the first token is predicted by nothing."""

    @property
    def tokens(self) -> int:
        """What it costs."""
        return len(self.ids)

    @property
    def scored(self) -> int:
        return sum(label != -100 for label in self.labels)


def answered(context: list[int], answer: list[int]) -> Sample:
    """All of the answer is scored, nothing of what stands before it."""
    masked = max(1, len(context))
    return Sample(context + answer, ([-100] * masked + [*context, *answer][masked:])[: len(context) + len(answer)])


@dataclass
class Pair:
    """Two answers to one prompt."""

    context: int
    """So many tokens of both are the prompt."""
    chosen: Sample
    rejected: Sample
    reference: float | None = field(default=None, compare=False)
    """How much likelier the base finds the chosen one, in nats; worked out once."""

    @property
    def tokens(self) -> int:
        return self.chosen.tokens + self.rejected.tokens


@dataclass
class Prompt:
    """A question whose answers are judged."""

    text: str
    ids: list[int]
    extra: Any = None

    @property
    def tokens(self) -> int:
        return len(self.ids)


class Codec:
    """The base's tokenizer, and how much of a text is read."""

    def __init__(self, tokenizer: Any, length: int) -> None:
        self.tokenizer, self.length = tokenizer, length
        self.bos = [i for i in tokenizer("").input_ids[:1] if i == tokenizer.bos_token_id]
        self.eos = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return self.tokenizer(list(texts), add_special_tokens=False).input_ids if texts else []

    def answers(self, texts: Sequence[str]) -> list[list[int]]:
        """Each with EOS; an empty text stays empty."""
        return [[*ids, *self.eos] if text else [] for text, ids in zip(texts, self.encode(texts), strict=True)]

    def context(self, prompt: list[int], answer_tokens: int) -> list[int]:
        """BOS and what of the prompt fits beside the answer: its end."""
        room = self.length - answer_tokens - len(self.bos)
        return self.bos + (prompt[-room:] if room > 0 else [])


class Instruct:
    """Prompt and answer; all of an answer's tokens count, EOS too."""

    required = ("field_instruction", "field_output")

    def __init__(self, dataset: dict[str, Any]) -> None:
        self.dataset = dataset
        if "field_output" in dataset and dataset["field_output"] is None:
            self.required = ("field_instruction",)

    def texts(self, row: Row) -> tuple[str, str]:
        """Without an output column the instruction is the answer, to nothing."""
        instruction, extra = self._column(row, "instruction"), self._column(row, "input")
        if not self.dataset.get("field_output"):
            return "", instruction
        known = self.dataset.get("field_system")
        system = self._column(row, "system") if known else self.dataset.get("system_prompt") or ""
        head = self.dataset.get("system_format", "{system}").format(system=system) if system else ""
        form = self.dataset.get("format", "{instruction} {input}")
        form = form if extra else self.dataset.get("no_input_format", "{instruction}")
        return head + form.format(instruction=instruction, input=extra), self._column(row, "output")

    def _column(self, row: Row, name: str) -> str:
        return row.get(self.dataset.get(f"field_{name}") or "") or ""

    def encode(self, rows: Sequence[Row], codec: Codec) -> list[Sample]:
        """A sample for every row that has something to score."""
        prompts, answers = zip(*map(self.texts, rows), strict=True)
        made = [
            self._cut(prompt, answer, codec)
            for prompt, answer in zip(codec.encode(prompts), codec.answers(answers), strict=True)
        ]
        return [sample for sample in made if sample.scored]

    def _cut(self, prompt: list[int], answer: list[int], codec: Codec) -> Sample:
        """The answer first loses its right end, then the prompt its left end."""
        answer = answer[: codec.length - 1]
        return answered(codec.context(prompt, len(answer)), answer)


class Chat:
    """Conversations by a chat template; what the assistant says counts, with the end of its turn."""

    required = ("chat_column",)

    def __init__(self, dataset: dict[str, Any]) -> None:
        self.dataset = dataset
        reference = {name: dataset.get(f"chat_{name}_reference", name) for name in ("user", "assistant")}
        self.roles = {"system": "system", reference["user"]: "user", reference["assistant"]: "assistant"}
        self.template = None if dataset.get("chat_template", "chatml") == "base" else CHATML

    def texts(self, row: Row) -> tuple[str, str]:
        """What is asked first, and what is answered last."""
        messages = self.messages(row)
        asked = [message["content"] for message in messages if message["role"] == "user"]
        return (asked or [""])[0], messages[-1]["content"] if messages else ""

    def messages(self, row: Row) -> list[dict[str, str]]:
        """Up to the last of the assistant's; none where it says nothing."""
        role, content = (self.dataset.get(f"chat_{each}_field", name) for each, name in ROLE_AND_CONTENT)
        said = [{"role": self.roles[turn[role]], "content": turn[content]} for turn in row[self.dataset["chat_column"]]]
        answers = [at for at, message in enumerate(said) if message["role"] == "assistant"]
        return said[: answers[-1] + 1] if answers else []

    def encode(self, rows: Sequence[Row], codec: Codec) -> list[Sample]:
        """A sample for every conversation in which answers can be found."""
        ending = self._ending(codec)
        made = [self._sample(messages, ending, codec) for messages in map(self.messages, rows) if messages]
        return [sample for sample in made if sample.scored]

    def _sample(self, messages: list[dict[str, str]], ending: str, codec: Codec) -> Sample:
        """The text's first tokens; those that hold a letter of an answer count."""
        text = self._render(messages, codec)
        spans = self._spans(messages, text, ending, codec)
        read = codec.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        inside = (any(begin < last and end > first for first, last in spans) for begin, end in read.offset_mapping)
        labels = [token if counts else -100 for token, counts in zip(read.input_ids, inside, strict=True)]
        return Sample(read.input_ids[: codec.length], [-100, *labels[1:]][: codec.length])

    def _spans(self, messages: list[dict[str, str]], text: str, ending: str, codec: Codec) -> list[tuple[int, int]]:
        """Where answers stand; a mark in place of each shows what is between them. Nothing where that is unclear."""
        marks = iter(range(len(messages)))
        marked = [m | {"content": f"GOD{next(marks):06d}X"} if m["role"] == "assistant" else m for m in messages]
        literals = re.split(r"GOD\d{6}X", self._render(marked, codec))
        answers = [message["content"] for message in messages if message["role"] == "assistant"]
        spans, at = [], len(literals[0])
        if len(literals) != len(answers) + 1 or not text.startswith(literals[0]):
            return []
        for answer, after in zip(answers, literals[1:], strict=True):
            written = next((each for each in ways(answer) if text[at:].startswith(each + after)), None)
            if written is None or not after.startswith(ending):
                return []
            if written:
                spans.append((at, at + len(written) + len(ending)))
            at += len(written) + len(after)
        return spans if at == len(text) else []

    def _ending(self, codec: Codec) -> str:
        """What follows an answer both within a conversation and at its end, white space aside."""
        turns = ("user", "assistant", "user", "assistant")
        shown = [{"role": role, "content": f"GOD{at}SHOWN"} for at, role in enumerate(turns)]
        text = self._render(shown, codec)
        between, last = text.partition("GOD1SHOWN")[2], text.partition("GOD3SHOWN")[2]
        sides = [
            codec.tokenizer(side, add_special_tokens=False, return_offsets_mapping=True) for side in (between, last)
        ]
        ending = ""
        for one, other, (_, end) in zip(sides[0].input_ids, sides[1].input_ids, sides[1].offset_mapping, strict=False):
            if one != other:
                break
            ending = last[:end]
        return ending.rstrip()

    def _render(self, messages: list[dict[str, str]], codec: Codec) -> str:
        return codec.tokenizer.apply_chat_template(messages, chat_template=self.template, tokenize=False)


def ways(answer: str) -> tuple[str, ...]:
    """How templates write an answer."""
    return answer, answer.strip(), answer.lstrip(), answer.rstrip()


class Dpo:
    """A chosen and a rejected answer to one prompt, whose context is the same for both."""

    required = ("field_prompt", "field_chosen", "field_rejected")

    def __init__(self, dataset: dict[str, Any]) -> None:
        self.dataset = dataset

    def texts(self, row: Row) -> tuple[str, str, str]:
        dataset, form = self.dataset, self.dataset.get("prompt_format", "{prompt}")
        system, prompt = (row.get(dataset.get(f"field_{name}") or "") or "" for name in ("system", "prompt"))
        head = "" if "{system}" in form else system
        return (
            head + form.format(prompt=prompt, system=system),
            self._answer(row, "chosen"),
            self._answer(row, "rejected"),
        )

    def _answer(self, row: Row, name: str) -> str:
        text = row.get(self.dataset[f"field_{name}"]) or ""
        return self.dataset.get(f"{name}_format", f"{{{name}}}").format(**{name: text}) if text else ""

    def encode(self, rows: Sequence[Row], codec: Codec) -> list[Pair]:
        """A pair for every row that shows a preference."""
        prompts, chosen, rejected = zip(*map(self.texts, rows), strict=True)
        columns = zip(codec.encode(prompts), codec.answers(chosen), codec.answers(rejected), strict=True)
        return [pair for column in columns if (pair := self._pair(*column, codec)) is not None]

    def _pair(self, prompt: list[int], chosen: list[int], rejected: list[int], codec: Codec) -> Pair | None:
        chosen, rejected = chosen[: codec.length - 1], rejected[: codec.length - 1]
        context = codec.context(prompt, max(len(chosen), len(rejected)))
        if not (context and chosen and rejected and chosen != rejected):
            return None
        return Pair(len(context), answered(context, chosen), answered(context, rejected))


class Grpo:
    """Prompts; no template, and no special tokens but BOS."""

    required = ("field_prompt",)

    def __init__(self, dataset: dict[str, Any]) -> None:
        self.dataset = dataset

    def texts(self, row: Row) -> tuple[str]:
        return (row.get(self.dataset["field_prompt"]) or "",)

    def encode(self, rows: Sequence[Row], codec: Codec) -> list[Prompt]:
        """`codec` leaves room for the completions."""
        texts = [self.texts(row)[0] for row in rows]
        extra = self.dataset.get("extra_column")
        made = [
            Prompt(text, codec.context(ids, 0), row.get(extra, row.get("extra_data")) if extra else None)
            for row, text, ids in zip(rows, texts, codec.encode(texts), strict=True)
        ]
        return [prompt for prompt in made if prompt.ids]


KINDS = {"InstructTextTask": Instruct, "ChatTask": Chat, "DpoTask": Dpo, "GrpoTask": Grpo}
