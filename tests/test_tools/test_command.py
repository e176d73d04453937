import pytest
import torch
from mmengine.config import Config
from torch.utils.data import DataLoader, Dataset

from mmlabelpenet.apis import sentence_of
from mmlabelpenet.engine.distributed import prepare_distributed
from mmlabelpenet.utils import UserError


class Broken(Dataset):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        raise UserError('The file a.npz\nis missing: make it.')


def test_the_sentence_survives_a_worker():
    with pytest.raises(UserError) as caught:
        next(iter(DataLoader(Broken(), num_workers=1)))
    assert 'Traceback' in str(caught.value)
    assert sentence_of(caught.value) == 'The file a.npz is missing: make it.'


def test_a_plain_sentence_is_left_alone():
    assert sentence_of(UserError('Say UserError: twice.')) == 'Say UserError: twice.'


@pytest.mark.skipif(torch.cuda.is_available(), reason='CUDA is there')
def test_slurm_without_cuda_is_reported():
    with pytest.raises(UserError, match='needs CUDA'):
        prepare_distributed(Config({'launcher': 'slurm'}))


def test_a_single_process_is_left_alone():
    cfg = Config({'launcher': 'none'})
    prepare_distributed(cfg)
    assert 'model_wrapper_cfg' not in cfg
