"""How clients are served: a request is answered, refused, or its outcome stays unknown (*maybe*).

An outcome is an answer, or None when it is unknown: the connection broke or the client gave up waiting.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass

from node.protocol.requests import Answer, Maybe, ProposalAnswer, Refusal, Request
from node.simulation.ground import Ground
from node.simulation.histories import Histories
from node.simulation.process import Process

Wish = float | tuple[Process, Request, float]
"""What a script asks for: to sleep so many seconds, or to have a request answered within so many."""
Script = Generator[Wish, Answer | None, None]

OnOutcome = Callable[[Answer | None], None]

REFUSED = Refusal("unreachable", "the node's host refuses connections")
REFUSED_S = 0.001
"""How long it takes to be refused."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request to `via`. `answer` None: the connection broke, or the client gave up waiting."""

    request: Request
    via: str
    answer: Answer | None
    took_s: float


class Clients:
    """The clients of a world. What they are told is held against what is done."""

    def __init__(self, ground: Ground, histories: Histories) -> None:
        self._ground = ground
        self._schedule = ground.schedule
        self._histories = histories
        self._running = 0

    @property
    def idle(self) -> bool:
        """Whether all clients have ended what they had begun."""
        return self._running == 0

    def perform(self, script: Script, ended: Callable[[], None] = lambda: None) -> None:
        """Do what a script wishes; `ended` is called after its last wish."""
        self._running += 1
        self._advance(script, None, ended)

    def _advance(self, script: Script, value: Answer | None, ended: Callable[[], None]) -> None:
        try:
            wish = script.send(value)
        except StopIteration:
            self._running -= 1
            ended()
            return
        if isinstance(wish, float):
            self._schedule.after(wish, self._advance, script, None, ended)
        else:
            process, request, timeout_s = wish
            self.call(process, request, timeout_s, lambda answer: self._advance(script, answer, ended))

    def call(self, process: Process, request: Request, timeout_s: float, on_answer: OnOutcome) -> None:
        """Have a request answered; the outcome is None when it is unknown."""
        ground, schedule, histories = self._ground, self._schedule, self._histories
        histories.asked(request)
        if not process.up:
            histories.ended(request, REFUSED)
            ground.happened("client", Outcome(request, process.name, REFUSED, REFUSED_S))
            schedule.after(REFUSED_S, on_answer, REFUSED)
            return
        done = False
        asked = schedule.t

        def finish(answer: Answer | None) -> None:
            nonlocal done
            if not done:
                done = True
                histories.ended(request, answer)
                outcome = f"{type(request).__name__} {_outcome(answer)}"
                ground.count(f"outcome {outcome}")
                ground.note("client", f"{outcome} from {process.name}")
                ground.happened("client", Outcome(request, process.name, answer, schedule.t - asked))
                on_answer(None if isinstance(answer, Maybe) else answer)

        def give_up() -> None:
            if not done:
                calls.cancel(number)
                finish(None)

        calls = process.calls
        number = calls.take(request, finish)
        schedule.after(timeout_s, give_up)


def _outcome(answer: Answer | None) -> str:
    match answer:
        case None | Maybe():
            return "maybe"
        case Refusal(reason):
            return reason
        case ProposalAnswer():
            return answer.proposal.state
        case _:
            return type(answer).__name__
