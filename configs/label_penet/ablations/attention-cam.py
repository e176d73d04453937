# Attention: class activation maps.
_base_ = '../label-penet_effnet-lite0_voc12-mini.py'
attention = dict(
    _delete_=True, type='CAMAttention', **_base_.levels,
    levels=_base_.model.cascade.classification.attention.levels)
model = dict(cascade=dict(classification=dict(attention=attention)))
