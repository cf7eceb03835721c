"""Counts steps, plans how many fit, looks at held-out rows on the way and keeps what is best."""

import time
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from trainer import clock as clocks
from trainer import recipe
from trainer.clock import Clock, Plan
from trainer.model import Average, agree, trainable
from trainer.objectives import Objective
from trainer.save import Keeper


class Pacer:
    def __init__(
        self, clock: Clock, keeper: Keeper, objective: Objective, model: Any, validation: Sequence[Any]
    ) -> None:
        self.clock, self.keeper, self.objective = clock, keeper, objective
        self.model, self.validation = model, validation
        self.average = Average(trainable(model))
        self.done, self.next_check = 0, recipe.FIRST_CHECK_STEP

    def begin(self, max_steps: int, step_seconds: float, check_seconds: float) -> None:
        """The steps start now; `step_seconds` and `check_seconds` are a first guess."""
        self.max_steps, self.check_seconds, self.all_checks = max_steps, check_seconds, 0.0
        self.began = time.monotonic()
        self._plan(step_seconds)

    @property
    def rate_share(self) -> float:
        return clocks.rate_share(self.done, self.steps)

    def after_step(self) -> bool:
        """Call after each optimizer step. True: that was the last one."""
        self.done += 1
        self.average.update(self.steps)
        if not self.keeper.saves:
            self.keeper.offer(self.model)
        step_seconds = agree(time.monotonic() - self.began - self.all_checks) / self.done
        if not self.next_check <= self.done < self.steps:
            return self._plan(step_seconds).steps == 0
        self._check()
        coming = self._plan(step_seconds)
        self.next_check = self.done + coming.every
        return coming.steps == 0

    def _plan(self, step_seconds: float) -> Plan:
        """The last check of the plan and one more are `finish`'s."""
        left = agree(self.clock.left(), "MIN") - self.check_seconds
        coming = clocks.plan(left, step_seconds, self.check_seconds, self.max_steps - self.done)
        self.steps = self.done + coming.steps
        return coming

    def _check(self) -> None:
        began = time.monotonic()
        loss = self.objective.mean(self.validation)
        kept = ", kept" if self.keeper.offer(self.model, loss) else ""
        self.check_seconds = agree(time.monotonic() - began)
        self.all_checks += self.check_seconds
        self.clock.say(f"step {self.done} of {self.steps}: held-out loss {loss:.4f}{kept}")

    def finish(self) -> None:
        """Offer the last weights, then their average, each where there is time to look at it."""
        if not self.keeper.saves:
            self.keeper.offer(self.model)
        for name, candidate in (("last", nullcontext), ("average", self.average.applied)):
            room = recipe.TERM_SECONDS / 2 if self.clock.terminated else self.clock.left() + self.clock.margin
            if agree(self.check_seconds > room):
                return
            with candidate():
                loss = self.objective.mean(self.validation)
                kept = "submitted" if self.keeper.offer(self.model, loss) else "left"
            self.clock.say(f"{name} of {self.done} steps: held-out loss {loss:.4f}, {kept}")
