"""How far a job is, and how long it will still take."""

from __future__ import annotations

from collections.abc import Mapping

from mlx_music import GenerationRequest, ProgressEvent
from mlx_music_app.engine.jobs import JobState, JobStatus

#: The stages of a take in their order. Others ("download") count for nothing.
STAGES = ("load", "source", "encode", "sample", "decode", "save")

#: What part of a take each is expected to be, until it has been measured.
_SHARES = {
    "load": 0.03,
    "source": 0.02,
    "encode": 0.02,
    "sample": 0.75,
    "decode": 0.16,
    "save": 0.02,
}


def lasts_as_asked(request: GenerationRequest) -> bool:
    """Whether music is as long as its request says, and not as a recording that is not read yet."""
    return request.task in ("text2music", "retake") and request.reference is None


def _calls(request: GenerationRequest) -> float:
    """In what the time of sampling is proportional to: seconds of music times steps."""
    steps = len(request.oss_steps) or request.num_inference_steps
    return request.duration * steps * (2 if request.scheduler == "heun" else 1)


class Paces:
    """What making music took so far, by model, and so what it will take."""

    def __init__(self) -> None:
        self._measured: dict[str, tuple[GenerationRequest, dict[str, float]]] = {}

    def learn(self, model: str, request: GenerationRequest, seconds: Mapping[str, float]) -> None:
        """Take in the stages of a take of new music: others last as long as their source."""
        if lasts_as_asked(request):
            self._measured[model] = request, dict(seconds)

    def expect(self, model: str, request: GenerationRequest) -> dict[str, float] | None:
        """Seconds of each stage, or None if nothing like it has been made."""
        if model not in self._measured or not lasts_as_asked(request):
            return None
        before, seconds = self._measured[model]
        longer = request.duration / before.duration
        more = _calls(request) / _calls(before)
        factors = {"sample": more, "decode": longer, "save": longer}
        return {stage: took * factors.get(stage, 1.0) for stage, took in seconds.items()}


class Estimate:
    """Follows the events of a job, and makes a `JobStatus` of each.

    expected: seconds of each stage, from `Paces`. loads: the model is not loaded yet.
    """

    def __init__(
        self,
        request: GenerationRequest,
        takes: int,
        *,
        loads: bool,
        expected: Mapping[str, float] | None,
    ) -> None:
        self._takes = takes
        self._made = 0
        self._fraction = 0.0
        self._seconds = dict(expected or {})
        self._stages = [
            stage
            for stage in STAGES
            if not (stage == "source" and request.source is None and request.reference is None)
        ]
        self._loads = loads
        self._first_step = 0.0
        self._shares = self._share()

    def event(self, event: ProgressEvent) -> JobStatus:
        """Where the job stands at an event of the engine's."""
        if event.stage == "sample" and event.step == 1:
            self._first_step = event.elapsed
        self._fraction = max(self._fraction, (self._made + self._of_take(event)) / self._takes)
        return JobStatus(
            JobState.RUNNING,
            made=self._made,
            stage=event.stage,
            step=event.step,
            total=event.total,
            fraction=min(self._fraction, 1.0),
            remaining=self._remaining(event),
        )

    def took(self, stage: str, seconds: float) -> None:
        """A stage has been measured: later takes will need as long."""
        self._seconds[stage] = seconds

    def take_made(self) -> JobStatus:
        """A take is done."""
        self._made += 1
        self._loads = False
        self._shares = self._share()
        self._fraction = max(self._fraction, self._made / self._takes)
        remaining = self._of_stages(self._coming("")) if self._made < self._takes else 0.0
        return JobStatus(
            JobState.RUNNING, made=self._made, fraction=self._fraction, remaining=remaining
        )

    def _share(self) -> dict[str, float]:
        """Each stage's part of a take: fixed while it is made, so that no bar goes back."""
        stages = [stage for stage in self._stages if stage != "load" or self._loads]
        known = all(stage in self._seconds for stage in stages)
        weights = {stage: (self._seconds if known else _SHARES)[stage] for stage in stages}
        total = sum(weights.values()) or 1.0
        return {stage: weight / total for stage, weight in weights.items()}

    def _of_take(self, event: ProgressEvent) -> float:
        if event.stage not in self._shares:
            return 0.0
        before = 0.0
        for stage, share in self._shares.items():
            if stage == event.stage:
                return before + share * event.step / max(event.total, 1)
            before += share
        return before

    def _remaining(self, event: ProgressEvent) -> float | None:
        left = self._left_of_stage(event)
        if left is None:
            return None
        if event.stage == "sample" and event.step:
            self._seconds["sample"] = event.elapsed + left
        rest = self._of_stages(self._coming(event.stage))
        return None if rest is None else left + rest

    def _left_of_stage(self, event: ProgressEvent) -> float | None:
        if event.stage == "sample" and event.step > 1:
            # The first step also reads the weights and waits for kernels.
            pace = (event.elapsed - self._first_step) / (event.step - 1)
            return pace * (event.total - event.step)
        if event.remaining is not None:
            return event.remaining
        expected = self._one(event.stage)
        return None if expected is None else max(0.0, expected - event.elapsed)

    def _coming(self, stage: str) -> list[str]:
        """The stages after `stage` of this take, and all of the takes to come."""
        one_take = [name for name in self._stages if name != "load"]
        if stage == "":
            return one_take * (self._takes - self._made)
        place = STAGES.index(stage) if stage in STAGES else -1
        rest = [name for name in one_take if STAGES.index(name) > place]
        return rest + one_take * (self._takes - self._made - 1)

    def _of_stages(self, stages: list[str]) -> float | None:
        seconds = [self._one(stage) for stage in stages]
        known = [value for value in seconds if value is not None]
        return sum(known) if len(known) == len(seconds) else None

    def _one(self, stage: str) -> float | None:
        """Seconds that a stage takes: as measured, or else in proportion to sampling."""
        if stage in self._seconds:
            return self._seconds[stage]
        if "sample" in self._seconds and stage in _SHARES:
            return self._seconds["sample"] * _SHARES[stage] / _SHARES["sample"]
        return None
