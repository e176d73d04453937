# 70,000 updates as on VOC 2012, a tenth of the rate after 50,000.
_base_ = './voc_sgd.py'
updates = _base_.iterations
train_cfg = dict(
    phases=dict(
        joint=dict(iterations=round(40000 * updates)),
        final=dict(iterations=round(20000 * updates))))
