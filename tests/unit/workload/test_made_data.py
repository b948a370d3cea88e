"""Data sets that are made of others, or made up: what is in a sample, and that what is held out stays apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from dcsim.engine.streams import Streams
from dcsim.errors import InputError
from dcsim.scenario.models import DetectorModel, ModelSpec
from dcsim.workload.data import Shards, source
from dcsim.workload.datasets.scenes import Stage
from dcsim.workload.models import anchors

ENCODER = {"family": "encoder", "vocabulary": 128, "layers": 1, "hidden": 8, "heads": 1, "context": 20, "masked": 6}
LSTM = {"family": "lstm", "vocabulary": 128, "embedding": 4, "hidden": 4, "layers": 1, "context": 32}
UNET = {"family": "unet", "image": 16, "channels": 1, "width": 2, "depth": 1, "classes": 11}
CLICKS = {"family": "recommender", "numbers": 3, "tables": [50, 20], "embedding": 4, "bottom": [], "top": [4]}


def model(keys: dict[str, Any]) -> Any:
    return TypeAdapter(ModelSpec).validate_python(keys)


def draws(seed: int = 1) -> np.random.Generator:
    return Streams(seed).generator("held out")


def test_hidden_tokens_are_told_by_the_labels() -> None:
    found = source("python-docs", model(ENCODER), 0.2, draws())
    batch = Shards(found, Streams(1), "job").batch(0, 0, 400)
    assert batch["inputs"].shape == (400, 20)
    assert np.all(np.diff(batch["places"], axis=1) > 0), "no token is hidden twice"
    put = np.take_along_axis(batch["inputs"], batch["places"], axis=1)
    assert np.mean(put == 0) == pytest.approx(0.8, abs=0.04)  # 2400 draws: a deviation of 0.008
    assert 0.09 < np.mean(put == batch["labels"]) < 0.13, "a tenth stays, and one in 127 random ones is right"
    assert np.mean(batch["follows"]) == pytest.approx(0.5, abs=0.1)
    assert batch["segments"][0].tolist() == [0] * 10 + [1] * 10
    again = Shards(found, Streams(1), "job").batch(0, 0, 400)
    assert all(np.array_equal(again[name], batch[name]) for name in batch)


def test_a_second_segment_follows_where_it_is_said_to() -> None:
    found = source("python-docs", model(ENCODER), 0.0, draws())
    places = np.arange(5, 305)
    batch = found.samples(places, draws(2))
    whole = source("python-docs", model(LSTM | {"context": 20}), 0.0, draws()).samples(places)["inputs"]
    np.put_along_axis(batch["inputs"], batch["places"], batch["labels"], axis=1)
    assert np.array_equal(batch["inputs"][:, :10], whole[:, :10])
    following = batch["follows"] == 0
    assert np.array_equal(batch["inputs"][following], whole[following])
    assert np.mean(np.all(batch["inputs"][~following] == whole[~following], axis=1)) < 0.05


def test_topics_are_told_apart_in_equal_parts() -> None:
    found = source("python-topics", model(LSTM | {"classes": 4}), 0.25, draws())
    held = found.held_out()
    assert np.bincount(held["labels"]).tolist() == [16] * 4
    batch = found.samples(np.arange(found.places))
    assert np.ptp(np.bincount(batch["labels"])) == 0
    trained = {bytes(row) for row in batch["inputs"].astype(np.uint8)}
    apart = [bytes(row) for row in held["inputs"].astype(np.uint8)]
    assert sum(window in trained for window in apart) <= 3, "but for indentation and phrases that topics share"


def test_a_scene_shows_its_digit_where_it_is_said_to_be() -> None:
    stage = Stage(40, (2, 3), 0.2, draws())
    assert not set(stage.trained) & set(stage.apart)
    assert len(stage.trained) + len(stage.apart) == 1797
    for number in (0, 7, 1000):
        one, again = stage.scene(number), stage.scene(number)
        assert np.array_equal(one.image, again.image)
        rows, columns = np.nonzero(one.ink)
        assert one.side in (16, 24)
        assert one.corner[0] <= rows.min() and rows.max() < one.corner[0] + one.side
        assert one.corner[1] <= columns.min() and columns.max() < one.corner[1] + one.side
        assert one.image[one.ink].mean() > 0.5 > 0.1 > one.image[~one.ink].mean()


def test_pixels_are_labelled_by_the_digit() -> None:
    found = source("digit-scenes", model(UNET), 0.1, draws())
    batch = found.samples(np.arange(50))
    assert batch["inputs"].shape == (50, 16, 16, 1)
    for labels in batch["labels"]:
        assert len(np.unique(labels)) == 2, "ground and one digit"
    two = source("digit-scenes", model(UNET | {"classes": 2}), 0.1, draws()).samples(np.arange(50))
    assert np.array_equal(two["labels"] == 1, batch["labels"] > 0)


def test_anchors_hold_boxes_that_overlap_them() -> None:
    """38x38x4 + 19x19x6 + 10x10x6 + 5x5x6 + 3x3x4 + 1x4 = 8732 as in the paper; offsets give the box back."""
    every = anchors.boxes(DetectorModel(family="detector"))
    assert every.shape == (8732, 4)
    box = np.array([0.4, 0.6, 0.3, 0.25], np.float32)
    held = anchors.match(box, every)
    shares = np.asarray(anchors.overlap(box, every))
    assert held.sum() > 1
    assert shares[held].min() >= 0.5 > shares[~held].max()
    back = np.asarray(anchors.decode(anchors.encode(box, every), every))
    assert back == pytest.approx(np.broadcast_to(box, back.shape), rel=1e-4, abs=1e-5)
    # Two unit squares, one half beside the other: 1/2 over 3/2.
    one, other = np.array([0.5, 0.5, 1.0, 1.0]), np.array([1.0, 0.5, 1.0, 1.0])
    assert float(anchors.overlap(one, other)) == pytest.approx(1 / 3)


def test_scales_of_anchors_are_the_published_ones() -> None:
    """Equation 4 for five maps from 0.2 to 0.9, which leaves 7/40 between two; 0.1 before them (section 3.1)."""
    assert anchors.scales(6) == pytest.approx((0.1, 0.2, 0.375, 0.55, 0.725, 0.9, 1.075), rel=1e-9)
    assert anchors.scales(3) == pytest.approx((0.1, 0.2, 0.9, 1.6), rel=1e-9)


@pytest.mark.parametrize("image", [17, 64, 300])
def test_detectors_get_a_class_and_a_box_an_anchor(image: int) -> None:
    spec = model({"family": "detector", "image": image, "channels": 1, "width": 1, "classes": 11})
    batch = source("digit-scenes", spec, 0.1, draws()).samples(np.arange(2))
    assert batch["inputs"].shape == (2, image, image, 1)
    for labels, offsets in zip(batch["labels"], batch["boxes"], strict=True):
        assert len(np.unique(labels[labels > 0])) == 1
        boxes = np.asarray(anchors.decode(offsets, anchors.boxes(spec)))
        assert np.ptp(boxes, axis=0).max() < 1e-4, "all anchors know the same box"
        assert boxes[0, 2] == pytest.approx(boxes[0, 3])
        assert image / 40 < boxes[0, 2] * image / 8 < image / 8, "at least a tenth of the image, and inside it"


def test_clicks_come_with_the_stated_chances() -> None:
    found = source("clicks", model(CLICKS), 0.2, draws())
    batch = found.samples(np.arange(found.places))
    assert (found.places, len(found.held_out()["labels"])) == (16_000, 4000)
    assert batch["categories"].max(axis=0).tolist() == [49, 19]
    chances = found.chances[found._train]  # type: ignore[attr-defined]
    for low in (0.0, 0.25, 0.5, 0.75):
        some = (chances >= low) & (chances < low + 0.25)
        # More than 1000 draws each: a deviation below 0.016.
        assert batch["labels"][some].mean() == pytest.approx(chances[some].mean(), abs=0.06)
    assert 0.3 < found.lowest_loss() < np.log(2)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "keys", "message"),
    [
        ("python-docs", UNET, 'family "unet", expected transformer, mixture, encoder or lstm: the data python-docs is'),
        ("python-topics", LSTM, "classes None, expected 2 to 16"),
        ("python-docs", LSTM | {"classes": 3}, "classes 3, expected no classes"),
        ("digit-scenes", UNET | {"channels": 3}, "channels 3, expected 1"),
        ("digit-scenes", UNET | {"classes": 5}, "classes 5, expected 2, ink or not, or 11"),
        ("clicks", LSTM, 'family "lstm", expected recommender: the data clicks are numbers and categories'),
        ("digits", UNET, 'family "unet", expected mlp, cnn, resnet or vision: the data digits are 64 numbers each'),
    ],
)
def test_what_does_not_fit_a_made_data_set_is_told(name: str, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        source(name, model(keys), 0.0, draws())
