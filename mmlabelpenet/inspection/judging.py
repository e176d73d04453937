"""Labels of an image at the places of the cascade, judged by one another and by ground truth."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from mmlabelpenet.evaluation import ErrorTaxonomyMetric
from mmlabelpenet.evaluation.functional import Found, classify_errors, overlaps_of_tags
from mmlabelpenet.evaluation.metrics.base import to_numpy
from mmlabelpenet.structures import Evidence
from mmlabelpenet.structures.boxes import shrink_boxes
from mmlabelpenet.utils import box_iou

# Where labels are judged, in the order of the cascade, and what a reader calls them.
PLACES = {
    'pseudo_instances': 'pseudo labels',
    'validated': 'validated labels',
    'result': 'result',
}
# Minimum IoU of the best boxes of a class that agree.
AGREEMENT = 0.5

Places: TypeAlias = Mapping[str, InstanceData]


@dataclass(frozen=True)
class LabelRow:
    """One label.

    Attributes:
        label: Its class.
        score: Its score.
        weight: Factor of its losses; None for results.
        overlap: Its largest IoU with a box of the class at the place that it is compared with:
            labels with the result, the result with the last labels.
        kind: One of ``KINDS``, by which box and class are judged; empty for none of them, and
            without ground truth.
    """

    label: int
    score: float
    weight: float | None
    overlap: float
    kind: str


@dataclass(frozen=True)
class ImageLabels:
    """All labels of one image.

    Attributes:
        tags: Classes of its tags.
        rows: For each of ``PLACES`` that it has, its labels by falling score.
        errors: For each of these the kinds of errors; empty without ground truth.
        agreements: For each tag the IoU of the best box of the labels and of the result.
        doubt: In 0..1, see :func:`doubt_of`.
    """

    tags: list[int]
    rows: dict[str, list[LabelRow]]
    errors: dict[str, set[str]]
    agreements: list[float]
    doubt: float

    @property
    def agrees(self) -> bool:
        """Whether labels and result agree on every tag."""
        return min(self.agreements, default=1.0) >= AGREEMENT

    @property
    def rank(self) -> tuple[float, float]:
        """Sorts images by falling doubt, equal ones by rising agreement."""
        return -self.doubt, sum(self.agreements) / max(len(self.agreements), 1)

    @property
    def error_keys(self) -> list[str]:
        """Place and kind of each error, as ``place:kind``."""
        return [f'{place}:{kind}' for place in self.errors for kind in sorted(self.errors[place])]

    @property
    def classes(self) -> set[int]:
        """Classes of the tags and of all labels."""
        return {*self.tags, *(row.label for rows in self.rows.values() for row in rows)}


def places_of(evidence: Evidence, result: InstanceData, score_thr: float) -> Places:
    """Boxes of the labels and of the result, in pixels of the original image.

    Args:
        evidence: As :meth:`Cascade.explain` gives it.
        result: Of a stage.
        score_thr: Minimum score of the result's instances.
    """
    kept = result[result.scores >= score_thr].cpu()
    places = {}
    for name in PLACES.keys() & evidence.keys():
        found = evidence.get(name)
        places[name] = InstanceData(
            bboxes=shrink_boxes(found.bboxes, evidence.scale_factor),
            **{key: found[key] for key in ('labels', 'scores', 'weights')},
        ).cpu()
    places['result'] = InstanceData(bboxes=kept.bboxes, labels=kept.labels, scores=kept.scores)
    return {name: places[name] for name in PLACES if name in places}


def judge_labels(
    sample: DetDataSample, places: Places, metric: ErrorTaxonomyMetric
) -> ImageLabels:
    """Compare the labels of an image with one another, and with ground truth if there is any.

    Args:
        sample: With ``tags`` and perhaps with ground truth, on the CPU.
        places: See :func:`places_of`.
        metric: Knows how boxes of the data set end.
    """
    tags = np.flatnonzero(to_numpy(sample.get('tags', np.zeros(0))) > 0.5).tolist()
    labels = [name for name in places if name != 'result']
    rows, errors = {}, {}
    for name, found in places.items():
        other = places[labels[-1] if name == 'result' and labels else 'result']
        kinds, errors[name] = _kinds(sample, found, metric)
        rows[name] = _rows(found, other, kinds)
    best = places[labels[-1]] if labels else places['result'][:0]
    last, result = _found(best), _found(places['result'])
    agreements = overlaps_of_tags([last], [result], [tags])
    return ImageLabels(tags, rows, errors, agreements.tolist(), doubt_of(last, result, tags))


def doubt_of(labels: Found, result: Found, tags: list[int]) -> float:
    """Doubt in the labels of an image: that of its most doubtful tag.

    A tag is in doubt by one minus the IoU of the class's best box in labels and result times the
    highest weight of a label of the class.

    Args:
        labels: With weights as scores.
        result: Of the last stage.
        tags: Classes of the image.

    Returns:
        0..1; 0 without tags.
    """
    overlaps = overlaps_of_tags([labels], [result], [tags])
    weights = [labels.scores[labels.labels == tag].max(initial=0.0) for tag in tags]
    return float((1 - overlaps * weights).max(initial=0.0))


def _found(instances: InstanceData) -> Found:
    scores = instances.weights if 'weights' in instances else instances.scores
    return Found(*(to_numpy(one) for one in (instances.labels, scores, instances.bboxes)))


def _kinds(
    sample: DetDataSample, found: InstanceData, metric: ErrorTaxonomyMetric
) -> tuple[list[str], set[str]]:
    """Kind of each label, and all kinds of errors of the image."""
    if 'gt_instances' not in sample or 'bboxes' not in sample.gt_instances:
        return [''] * len(found), set()
    judged = sample.clone()
    judged.set_metainfo(dict(boxes_end='outside'))
    judged.pred_instances = found
    errors = classify_errors(metric.measure(judged.to_dict()))
    return errors.predicted_kinds, {*errors.outcomes, *errors.surplus} - {'', 'found'}


def _rows(found: InstanceData, other: InstanceData, kinds: list[str]) -> list[LabelRow]:
    labels, scores, bboxes = _found(found)
    other_labels, _, other_bboxes = _found(other)
    overlaps = box_iou(bboxes, other_bboxes) * (labels[:, None] == other_labels)
    columns = zip(
        labels.tolist(),
        to_numpy(found.scores).tolist(),
        scores.tolist() if 'weights' in found else [None] * len(found),
        overlaps.max(axis=1, initial=0.0).tolist(),
        kinds,
    )
    return sorted((LabelRow(*column) for column in columns), key=lambda row: -row.score)
