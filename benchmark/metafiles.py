"""Write the metafiles of the measured configs, which ``mim search`` reads, from the results.

Example:
    python benchmark/metafiles.py
"""

import statistics
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import yaml
from report import read_results, values_of

from mmlabelpenet.utils import write_bytes

REPOSITORY = Path(__file__).parents[1]
RESULTS = REPOSITORY / 'docs/research/benchmarks/voc12_mini.json'
DATASET = 'VOC12-mini val'
# For each folder of configs the name and the paper of its method.
METHODS = {
    'label_penet': ('Label-PEnet', 'https://arxiv.org/abs/1910.02624'),
    'mist': ('MIST', 'https://arxiv.org/abs/2004.04725'),
    'oicr': ('OICR', 'https://arxiv.org/abs/1704.00138'),
    'pcl': ('PCL', 'https://arxiv.org/abs/1807.03342'),
    'upper_bound': ('Supervised bound', 'https://arxiv.org/abs/1703.06870'),
    'wsddn': ('WSDDN', 'https://arxiv.org/abs/1511.02853'),
}
# For each task of mim its figures.
TASKS = {
    'Object Detection': {'box AP@50': 'bbox_mAP_50', 'CorLoc': 'corloc'},
    'Instance Segmentation': {
        'mask AP@50 without void': 'no_void/segm_mAP_50',
        'mask AP@75 without void': 'no_void/segm_mAP_75',
    },
}


def folder_of(result: dict) -> str:
    """Folder of configs of a result's method."""
    return Path(result['config']).parts[1]


def model_entry(results: Sequence[dict], config: str) -> dict:
    """Entry of a config: medians over its seeds, in percent as in OpenMMLab's metafiles."""
    own = [{**one, 'row': config} for one in results if one['config'] == config]
    measured = {
        task: {
            name: round(100 * statistics.median(values), 1)
            for name, figure in figures.items()
            if (values := values_of(own, config, figure))
        }
        for task, figures in TASKS.items()
    }
    return {
        'Name': Path(config).stem,
        'In Collection': METHODS[folder_of(own[0])][0],
        'Config': config,
        'Metadata': {'Seeds': len(own), 'Commits': sorted({one['commit'] for one in own})},
        'Results': [
            {'Task': task, 'Dataset': DATASET, 'Metrics': metrics}
            for task, metrics in measured.items()
            if metrics
        ],
    }


def metafiles(results: Sequence[dict]) -> dict[str, dict]:
    """Content of every metafile, and of the index of all of them, by path."""
    files: dict[str, dict] = {}
    for folder, group in groupby(sorted(results, key=folder_of), folder_of):
        name, url = METHODS[folder]
        configs = sorted({one['config'] for one in group})
        files[f'configs/{folder}/metafile.yml'] = {
            'Collections': [{'Name': name, 'Paper': url}],
            'Models': [model_entry(results, config) for config in configs],
        }
    return {**files, 'model-index.yml': {'Import': [*files]}}


def main() -> None:
    """Write the files."""
    for path, content in metafiles(read_results(RESULTS)).items():
        head = '# Written by benchmark/metafiles.py.\n'
        text = head + yaml.safe_dump(content, sort_keys=False)
        write_bytes(REPOSITORY / path, text.encode())


if __name__ == '__main__':
    main()
