# With a lap before the joint phase: modules 2 to 4 learn once more, from labels that all of them
# have made together. The joint phase learns from attention again, and validates.
_base_ = './label-penet-without-lap_effnet-lite0_voc12-mini.py'
train_cfg = dict(
    order=[*_base_.train_cfg.order[:-1], 'lap', 'joint'],
    phases=dict(
        lap=dict(
            epochs=2,
            stages=['detection', 'refinement', 'segmentation'],
            relabel=True,
            threshold=0.3),
        joint=dict(stored_labels=False)))
