"""The generated data set of the demo and the tests."""

from mmlabelpenet.registry import DATASETS

from .voc import VOCInstanceDataset


@DATASETS.register_module()
class ShapesDataset(VOCInstanceDataset):
    """Generated images of textured shapes in VOC layout, without difficult objects.

    ``tools/dataset_converters/make_shapes.py`` generates it. All arguments are those of
    :class:`VOCInstanceDataset`.
    """

    METAINFO = {
        'classes': ('star', 'ring', 'moon', 'cross', 'heart', 'leaf'),
        'palette': [
            (245, 200, 60),
            (80, 170, 240),
            (170, 110, 230),
            (90, 200, 130),
            (235, 80, 110),
            (240, 140, 60),
        ],
        'dataset_type': 'Shapes',
    }
    REMEDY = 'run `python tools/dataset_converters/make_shapes.py --out data/shapes/Shapes`'


@DATASETS.register_module()
class HardShapesDataset(ShapesDataset):
    """Shapes that fail as real photos do: they touch, stand on a ground, and have one main part.

    ``tools/dataset_converters/make_shapes.py --hard`` generates it. All arguments are those of
    :class:`VOCInstanceDataset`.
    """

    METAINFO = {**ShapesDataset.METAINFO, 'dataset_type': 'HardShapes'}
    REMEDY = 'run `python tools/dataset_converters/make_shapes.py --hard`'
