# The five scales of OICR and PCL, for a data set's config to add to its pipelines.
short_sides = (480, 576, 688, 864, 1200)
# The largest ones, as many in training as in tests: a softmax over proposals depends on them.
max_proposals = 2000
tta_model = dict(type='ProposalTTA')
# Each list holds choices; all combinations of them are tested.
tta_pipeline = [
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
        ]),
]
