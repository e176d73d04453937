"""Short ways to write down data samples, as dicts, which is what metrics receive."""

import numpy as np
import torch


def instances(labels=(), bboxes=(), scores=None, **fields):
    made = {
        'labels': torch.tensor(labels, dtype=torch.long),
        'bboxes': torch.tensor(np.array(bboxes, dtype=np.float32).reshape(-1, 4)),
        **fields,
    }
    if scores is not None:
        made['scores'] = torch.tensor(scores, dtype=torch.float32)
    return made


def box_sample(predicted=(), true=(), difficult=()):
    """predicted: (label, score, box); true and difficult: (label, box)."""
    return {
        'pred_instances': instances(
            [label for label, _, _ in predicted],
            [box for _, _, box in predicted],
            [score for _, score, _ in predicted],
        ),
        'gt_instances': instances([label for label, _ in true], [box for _, box in true]),
        'ignored_instances': instances(
            [label for label, _ in difficult], [box for _, box in difficult]
        ),
    }


def run(metric, samples, classes=('cat', 'dog', 'owl'), size=None):
    metric.dataset_meta = {'classes': classes}
    metric.process({}, samples)
    return metric.evaluate(len(samples) if size is None else size)
