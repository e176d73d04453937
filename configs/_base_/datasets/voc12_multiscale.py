# VOC 2012 at the five scales of OICR and PCL, one image a process; tested at all of them by --tta.
_base_ = './voc12.py'
short_sides = (480, 576, 688, 864, 1200)
train_pipeline = [
    *_base_.train_pipeline[:2],
    dict(
        type='ProposalBroadcaster',
        transforms=[
            dict(
                type='RandomChoiceResize',
                scales=[(2000, side) for side in short_sides],
                keep_ratio=True),
            dict(type='RandomFlip', prob=0.5),
        ]),
    dict(type='PackWeakInputs'),
]
train_dataloader = dict(
    batch_size=1, dataset=dict(pipeline=train_pipeline))

# Each list holds choices, of which the views are all combinations.
tta_model = dict(type='ProposalTTA')
tta_pipeline = [
    *_base_.test_pipeline[:2],
    dict(
        type='TestTimeAug',
        transforms=[
            [
                dict(
                    type='ProposalBroadcaster',
                    transforms=[
                        dict(
                            type='Resize',
                            scale=(2000, side),
                            keep_ratio=True)
                    ]) for side in short_sides
            ],
            [
                dict(
                    type='ProposalBroadcaster',
                    transforms=[dict(type='RandomFlip', prob=prob)])
                for prob in (0.0, 1.0)
            ],
            *[[step] for step in _base_.test_pipeline[3:]],
        ]),
]
