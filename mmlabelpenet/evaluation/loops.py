"""A test loop over several sets of images."""

from collections.abc import Sequence

from mmengine.evaluator import Evaluator
from mmengine.runner import Runner, TestLoop
from torch.utils.data import DataLoader

from mmlabelpenet.registry import LOOPS


@LOOPS.register_module()
class MultiSetTestLoop(TestLoop):
    """Tests a model on several sets of images in one run and merges the figures.

    CorLoc is defined on the training images, all other figures on the test images: this loop
    measures both with one model.

    Args:
        runner: The runner.
        dataloader: Of the first set.
        evaluator: Of the first set.
        further: Further sets, dicts with keys ``dataloader`` and ``evaluator``.
        fp16: Whether to test in mixed precision.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        evaluator: Evaluator | dict | list,
        further: Sequence[dict] = (),
        fp16: bool = False,
    ) -> None:
        super().__init__(runner, dataloader, evaluator, fp16=fp16)
        loops = [self, *(TestLoop(runner, **part, fp16=fp16) for part in further)]
        self.sets = [(loop.dataloader, loop.evaluator) for loop in loops]

    def run(self) -> dict[str, float]:
        """Test on each set in turn.

        Returns:
            The figures of all sets; of a name that occurs twice the first set's figure.
        """
        metrics: dict[str, float] = {}
        for dataloader, evaluator in self.sets:
            self.dataloader, self.evaluator = dataloader, evaluator
            metrics = super().run() | metrics
        return metrics


def evaluators_of(loop: TestLoop) -> list[Evaluator]:
    """Get the evaluators of a test loop, one for each set of images."""
    sets = loop.sets if isinstance(loop, MultiSetTestLoop) else [(None, loop.evaluator)]
    return [evaluator for _, evaluator in sets]
