# H without curriculum: all modules learn from all pseudo instances from the first step on. F shows
# the effect of a curriculum where the weights of instances do not separate right from wrong ones,
# this ablation where they do.
_base_ = './h_full.py'
train_cfg = dict(phases=dict(joint=dict(ramp=0.0, threshold=0.0)))
