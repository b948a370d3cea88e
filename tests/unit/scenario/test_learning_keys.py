"""What an executed job learns from and when it has learned enough, as the scenario says it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dcsim.errors import ScenarioError
from dcsim.scenario.learning import Target
from dcsim.scenario.load import load

SAMPLE = Path(__file__).parent / "sample.yaml"
MLP = "jobs.learn.model={family: mlp, inputs: 64, hidden: [32], classes: 10}"
WHERE = "jobs.learn.execute"


def problems(*settings: str) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        load(SAMPLE, settings)
    return [str(problem) for problem in caught.value.problems]


def test_a_job_says_how_it_is_judged() -> None:
    text = "{data: digits, validate: {every: 20 steps}, target: {accuracy: 95 %}, stop: {patience: 3, at_target: true}}"
    execute = load(SAMPLE, [MLP, f"{WHERE}={text}"]).scenario.jobs[1].execute
    assert execute is not None and execute.validate_ is not None and execute.stop is not None
    assert (execute.validate_.steps, execute.validate_.share) == (20, 0.2)
    assert (execute.stop.patience, execute.stop.improvement, execute.looks_each_step) == (3, 0.0, False)
    assert execute.target == Target(accuracy=0.95)


def test_a_target_on_the_training_loss_may_end_any_step() -> None:
    text = "{data: python-docs, target: {loss: 2.2}, stop: {at_target: true}}"
    execute = load(SAMPLE, [f"{WHERE}={text}"]).scenario.jobs[1].execute
    assert execute is not None and execute.looks_each_step


@pytest.mark.parametrize(
    ("target", "loss", "accuracy", "reached"),
    [
        ({"loss": 2.0}, 2.0, None, True),
        ({"loss": 2.0}, 2.1, 1.0, False),
        ({"validation_loss": 2.0}, 1.9, None, True),
        ({"accuracy": 0.5}, 9.0, 0.5, True),
        ({"accuracy": 0.5}, 0.1, 0.4, False),
        ({"accuracy": 0.5}, 0.1, None, False),
    ],
)
def test_a_target_is_reached_from_its_side(
    target: dict[str, float], loss: float, accuracy: float, reached: bool
) -> None:
    assert Target.model_validate(target).reached(loss, accuracy) is reached


@pytest.mark.parametrize(
    ("execute", "message"),
    [
        ("{data: mnist}", '.data: found "mnist", expected "python-docs", "python-topics", "digits", "digit-scenes", '
         '"iris", "wine", "breast-cancer", "diabetes" or "clicks"'),
        ("{data: digits, target: {accuracy: 95 %}}",
         ".target: found a target without it, expected the key validate too, since held-out samples tell when the "
         "target is reached"),
        ("{data: digits, stop: {patience: 2}}",
         ".stop.patience: found patience without it, expected the key validate too, whose looks it counts"),
        ("{data: digits, stop: {at_target: true}}",
         ".stop.at_target: found true without it, expected the key target too"),
        ("{data: digits, stop: {improvement: 0.1}}",
         ".stop: found a block of keys, expected patience, at_target: true, or both"),
        ("{data: digits, target: {}}",
         ".target: found an empty block, expected just one of loss, validation_loss, accuracy"),
        ("{data: digits, target: {loss: 1, accuracy: 0.5}}",
         ".target: found a block of keys, expected just one of loss, validation_loss, accuracy"),
        ("{data: digits, validate: {every: 20}}", '.validate.every: found 20, expected a number of steps such as "200 '
         'steps"'),
    ],
)  # fmt: skip
def test_a_wrong_way_to_learn_gets_one_message(execute: str, message: str) -> None:
    assert problems(MLP, f"{WHERE}={execute}") == [f"--set: {WHERE}{message}"]


@pytest.mark.parametrize(
    ("model", "data", "message"),
    [
        ("{family: mlp, inputs: 30, hidden: [8], classes: 10}", "digits",
         "inputs: found 30 numbers, expected a size of 64 numbers, the samples of digits"),
        ("{family: cnn, image: 8, channels: [3, 8], classes: 10}", "digits",
         "image: found 192 numbers, expected a size of 64 numbers, the samples of digits"),
        ("{family: mlp, inputs: 4, hidden: [8], classes: 2}", "iris",
         "classes: found 2, expected at least 3, the classes of iris"),
        ("{family: mlp, inputs: 64, hidden: [8], classes: 10}", "python-docs",
         'family: found "mlp", expected transformer, mixture, encoder or lstm: the data python-docs is text'),
        ("{family: transformer, layers: 1, hidden: 8, heads: 1, context: 8, vocabulary: 128}", "wine",
         'family: found "transformer", expected mlp, cnn, resnet or vision: the data wine are 13 numbers each'),
    ],
)  # fmt: skip
def test_models_and_data_fit_or_are_told_why_not(model: str, data: str, message: str) -> None:
    assert problems(f"jobs.learn.model={model}", f"{WHERE}={{data: {data}}}") == [f"--set: jobs.learn.model.{message}"]


def test_a_learning_rate_may_change() -> None:
    text = "jobs.learn.optimizer={schedule: {warmup: 5 steps}}"
    schedule = load(SAMPLE, [text]).scenario.jobs[1].optimizer.schedule
    assert schedule is not None
    assert (schedule.kind, schedule.warmup_steps, schedule.final) == ("cosine", 5, 0.1)
    where = "jobs.learn.optimizer.schedule"
    assert problems(f"{where}={{kind: stairs}}") == [
        f'--set: {where}.kind: found "stairs", expected "constant", "linear", "cosine" or "exponential"'
    ]
    assert problems(f"{where}={{kind: exponential, final: 0}}") == [
        f"--set: {where}.final: found 0, expected a ratio above zero, which an exponential can reach"
    ]
